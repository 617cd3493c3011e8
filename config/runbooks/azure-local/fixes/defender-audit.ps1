# Add, never Set: Set-MpPreference would drop every other rule. 1 block, 2 audit.
$id = 'd1e49aac-8f56-4280-b9ba-993a6d77406c'
function Action {
  $p = Get-MpPreference -ErrorAction Stop
  $ids = @($p.AttackSurfaceReductionRules_Ids | Where-Object { $_ })
  $acts = @($p.AttackSurfaceReductionRules_Actions | Where-Object { $null -ne $_ })
  for ($i = 0; $i -lt $ids.Count -and $i -lt $acts.Count; $i++) { if ("$($ids[$i])" -eq $id) { [int]$acts[$i] } }
}
$words = @{ 0 = 'Disabled'; 1 = 'Enabled'; 2 = 'AuditMode'; 6 = 'Warn' }
$before = Action
$undo = @()
if ($null -ne $before -and $before -ne 2) {
  Add-MpPreference -AttackSurfaceReductionRules_Ids $id -AttackSurfaceReductionRules_Actions AuditMode -ErrorAction Stop
  $undo = @("Add-MpPreference -AttackSurfaceReductionRules_Ids $id -AttackSurfaceReductionRules_Actions $($words[$before])")
}
@{ psexec_wmi = Action; undo = $undo }
