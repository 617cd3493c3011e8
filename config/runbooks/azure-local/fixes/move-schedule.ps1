# A schedule begins at its start date: moved beyond the run, it starts none in between. By this machine's own clock.
$was = $null
foreach ($r in @(Get-CauClusterRole -ErrorAction Stop)) { if ("$($r.Name)" -eq 'StartDate') { $was = $r.Value } }
$to = (Get-CimInstance -ClassName Win32_OperatingSystem -ErrorAction Stop).LocalDateTime.AddHours(2 * [int]$arg.schedule_clear_hours)
Set-CauClusterRole -StartDate $to -Force -ErrorAction Stop
@{
  start_utc = Utc $to
  undo = @($(if ($null -ne $was) { "Set-CauClusterRole -StartDate '$(Utc $was)' -Force" }))
}
