# Network ATC tries an intent that failed again; what made it fail must be mended before. There is nothing to bring back.
$again = @()
foreach ($r in @(Get-NetIntentStatus -ErrorAction Stop | Where-Object { "$($_.ConfigurationStatus)" -ne 'Success' })) {
  Set-NetIntentRetryState -Name "$($r.IntentName)" -NodeName "$($r.Host)" -ErrorAction Stop
  $again += "$($r.IntentName) on $($r.Host)"
}
@{ again = $again; undo = @() }
