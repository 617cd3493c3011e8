# Ids and actions are two parallel lists. 0 off, 1 block, 2 audit, 6 warn; null = the rule is not configured.
if (-not (Get-Command Get-MpPreference -ErrorAction Ignore)) { @{ available = $false; psexec_wmi = $null } } else {
  $p = Get-MpPreference -ErrorAction Stop
  $ids = @($p.AttackSurfaceReductionRules_Ids | Where-Object { $_ })
  $acts = @($p.AttackSurfaceReductionRules_Actions | Where-Object { $null -ne $_ })
  $v = $null
  for ($i = 0; $i -lt $ids.Count -and $i -lt $acts.Count; $i++) {
    if ("$($ids[$i])" -eq 'd1e49aac-8f56-4280-b9ba-993a6d77406c') { $v = [int]$acts[$i] }
  }
  @{ available = $true; psexec_wmi = $v }
}
