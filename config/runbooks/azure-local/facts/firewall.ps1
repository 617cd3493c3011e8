# enabled comes from the text: the number of False is 2. source GroupPolicy = not ours to change.
$out = @{
  rules = @()
  profiles = @(Get-NetConnectionProfile -ErrorAction SilentlyContinue | ForEach-Object { "$($_.NetworkCategory)" } | Sort-Object -Unique)
}
foreach ($n in 'Wininit-Shutdown-In-Rule-TCP-RPC', 'Wininit-Shutdown-In-Rule-TCP-RPC-EPMapper') {
  $row = @{ name = $n; present = $false; enabled = $null; profile = $null; source = $null }
  try {
    $r = Get-NetFirewallRule -Name $n -ErrorAction Stop
    $row.present = $true
    $row.enabled = "$($r.Enabled)" -eq 'True'
    $row.profile = "$($r.Profile)"
    $row.source = "$($r.PolicyStoreSourceType)"
  }
  catch { if ($_.FullyQualifiedErrorId -notlike 'CmdletizationQuery_NotFound*') { throw } }
  $out.rules += $row
}
$out
