# A feature update needs a full restart.
function Value { foreach ($p in @(Get-Cluster -ErrorAction Stop | Get-ClusterParameter -ErrorAction Stop)) { if ("$($p.Name)" -eq 'CauEnableSoftReboot') { [int]$p.Value } } }
$before = Value
Get-Cluster -ErrorAction Stop | Set-ClusterParameter -Name CauEnableSoftReboot -Value 0 -ErrorAction Stop
$undo = @()
if ($before -ne 0) { $undo = @("Get-Cluster | Set-ClusterParameter -Name CauEnableSoftReboot $(if ($null -eq $before) { '-Delete' } else { "-Value $before" })") }
@{ soft_reboot = Value; undo = $undo }
