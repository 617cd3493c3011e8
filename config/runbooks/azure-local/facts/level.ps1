# The functional level, and the one that every node could run at: the high word of NodeHighestVersion (clusapi.h). So
# nothing here has to know which number belongs to which version of Windows.
$c = Get-Cluster -ErrorAction Stop
@{
  functional_level = [int]$c.ClusterFunctionalLevel
  upgrade_version = [int]$c.ClusterUpgradeVersion
  nodes = @(Get-ClusterNode -ErrorAction Stop | ForEach-Object {
    @{ name = "$($_.Name)"; build = [int64]$_.BuildNumber; level = [int]([int64]$_.NodeHighestVersion -shr 16) }
  })
}
