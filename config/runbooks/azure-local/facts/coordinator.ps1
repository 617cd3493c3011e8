# Tools and plug-ins of the machine that starts the run.
$out = @{ modules = @{}; plugins = @(); plugin_error = $null; features = @() }
foreach ($n in 'ClusterAwareUpdating', 'FailoverClusters') {
  $m = @(Get-Module -ListAvailable -Name $n -ErrorAction Ignore)
  $out.modules[$n] = $(if ($m.Count) { "$($m[0].Version)" })
}
if ($out.modules.ClusterAwareUpdating) {
  try { $out.plugins = @(Get-CauPlugin -ErrorAction Stop | ForEach-Object { "$($_.Name)" }) } catch { $out.plugin_error = $_.FullyQualifiedErrorId }
}
if (Get-Command Get-WindowsFeature -ErrorAction Ignore) {
  $out.features = @(Get-WindowsFeature -Name RSAT-Clustering, RSAT-Clustering-Mgmt, RSAT-Clustering-PowerShell -ErrorAction Stop | ForEach-Object {
    @{ name = "$($_.Name)"; installed = [bool]$_.Installed }
  })
}
$out
