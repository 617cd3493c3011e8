# Every node as the cluster sees it.
@{
  nodes = @(Get-ClusterNode -ErrorAction Stop | ForEach-Object {
    @{
      name = "$($_.Name)"
      state = "$($_.State)"
      drain = "$($_.DrainStatus)"
      status = "$($_.StatusInformation)"
      build = [int64]$_.BuildNumber
    }
  })
}
