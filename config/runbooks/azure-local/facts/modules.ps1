# Modules of PowerShell that the run and these checks use on a node.
@{
  missing = @('FailoverClusters', 'ClusterAwareUpdating', 'Storage', 'Hyper-V' | Where-Object {
    @(Get-Module -ListAvailable -Name $_ -ErrorAction Ignore).Count -eq 0
  })
}
