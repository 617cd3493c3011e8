# A feature update needs a full restart.
Get-Cluster -ErrorAction Stop | Set-ClusterParameter -Name CauEnableSoftReboot -Value 0 -ErrorAction Stop
$v = $null
foreach ($p in @(Get-Cluster -ErrorAction Stop | Get-ClusterParameter -ErrorAction Stop)) { if ("$($p.Name)" -eq 'CauEnableSoftReboot') { $v = [int]$p.Value } }
@{ soft_reboot = $v }
