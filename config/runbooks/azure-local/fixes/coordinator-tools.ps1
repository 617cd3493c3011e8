# The tools only, never the feature Failover Clustering itself.
$missing = @(Get-WindowsFeature -Name RSAT-Clustering, RSAT-Clustering-Mgmt, RSAT-Clustering-PowerShell -ErrorAction Stop | Where-Object { -not $_.Installed } | ForEach-Object { "$($_.Name)" })
$undo = @()
$restart = $false
if ($missing.Count) {
  $r = Install-WindowsFeature -Name $missing -ErrorAction Stop
  $restart = "$($r.RestartNeeded)" -eq 'Yes'
  $undo = @("Uninstall-WindowsFeature -Name $($missing -join ', ')")
}
@{ installed = $missing; restart = $restart; undo = $undo }
