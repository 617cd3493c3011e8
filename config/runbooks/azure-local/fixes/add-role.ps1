# Adding the role brings a schedule, the third Tuesday of the month: no switch says none. So it is given a start beyond the run with
# the role itself. Its account is a new computer account in Active Directory. Looked for as a resource: absence is then no error.
$undo = @()
if (-not @(Get-ClusterResource -ErrorAction Stop | Where-Object { "$($_.ResourceType)" -eq 'ClusterAwareUpdatingResource' }).Count) {
  $to = (Get-CimInstance -ClassName Win32_OperatingSystem -ErrorAction Stop).LocalDateTime.AddHours(2 * [int]$arg.schedule_clear_hours)
  $null = Add-CauClusterRole -StartDate $to -EnableFirewallRules -Force -ErrorAction Stop
  $undo = @('Remove-CauClusterRole -Force')
}
$start = $null
foreach ($r in @(Get-CauClusterRole -ErrorAction Stop)) { if ("$($r.Name)" -eq 'StartDate') { $start = Utc $r.Value } }
@{
  rows = @(Get-CauClusterRole -ErrorAction Stop | Where-Object { 'ResourceGroupName', 'Status' -contains "$($_.Name)" } | ForEach-Object { "$($_.Name): $($_.Value)" })
  start_utc = $start
  undo = $undo
}
