# Cannot be undone.
$null = Update-ClusterFunctionalLevel -Force -ErrorAction Stop
$c = Get-Cluster -ErrorAction Stop
@{ level = [int]$c.ClusterFunctionalLevel; upgrade_version = [int]$c.ClusterUpgradeVersion }
