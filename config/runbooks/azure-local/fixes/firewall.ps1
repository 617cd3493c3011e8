# Without these two rules the restart phase of the run fails.
$names = 'Wininit-Shutdown-In-Rule-TCP-RPC', 'Wininit-Shutdown-In-Rule-TCP-RPC-EPMapper'
$undo = @(Get-NetFirewallRule -Name $names -ErrorAction Stop | Where-Object { "$($_.Enabled)" -ne 'True' -or "$($_.Profile)" -ne 'Domain' } |
  ForEach-Object { "Set-NetFirewallRule -Name $($_.Name) -Profile $($_.Profile) -Enabled $($_.Enabled)" })
Set-NetFirewallRule -Name $names -Profile Domain -Enabled True -ErrorAction Stop
@{ enabled = @(Get-NetFirewallRule -Name $names -ErrorAction Stop | ForEach-Object { "$($_.Enabled)" -eq 'True' }); undo = $undo }
