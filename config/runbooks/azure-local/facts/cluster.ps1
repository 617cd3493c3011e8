# All parameters are listed and searched: what asking for one that was never set gives is not documented.
$c = Get-Cluster -ErrorAction Stop
$q = Get-ClusterQuorum -ErrorAction Stop
$ksr = $null
foreach ($p in @($c | Get-ClusterParameter -ErrorAction Stop)) { if ("$($p.Name)" -eq 'CauEnableSoftReboot') { $ksr = [int]$p.Value } }
$witness = $null
if ($q.QuorumResource) {
  $witness = @{ name = "$($q.QuorumResource)"; state = "$((Get-ClusterResource -Name "$($q.QuorumResource)" -ErrorAction Stop).State)" }
}
@{
  name = "$($c.Name)"
  domain = "$($c.Domain)"
  functional_level = [int]$c.ClusterFunctionalLevel
  upgrade_version = [int]$c.ClusterUpgradeVersion
  s2d = [int]$c.S2DEnabled -eq 1
  quorum = "$($q.QuorumType)"
  witness = $witness
  soft_reboot = $ksr
  dynamic_quorum = [int]$c.DynamicQuorum -eq 1
  votes = @(Get-ClusterNode -ErrorAction Stop | ForEach-Object { @{ name = "$($_.Name)"; weight = [int]$_.NodeWeight; dynamic = [int]$_.DynamicWeight } })
}
