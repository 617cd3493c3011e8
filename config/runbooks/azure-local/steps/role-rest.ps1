# What was given to the role for this run is taken back, and the role is disabled, so that it starts nothing by itself. Not while it
# runs: it would end the run. Enable-CauClusterRole brings it back, with its schedule.
if ("$(@(Get-CauRun -ErrorAction Stop)[0])" -ne 'RunNotInProgress') { throw 'an Updating Run is still going on: the role rests when it has ended' }
$rows = @{}
if (@(Get-ClusterResource -ErrorAction Stop | Where-Object { "$($_.ResourceType)" -eq 'ClusterAwareUpdatingResource' }).Count) {
  $to = (Get-CimInstance -ClassName Win32_OperatingSystem -ErrorAction Stop).LocalDateTime.AddHours(2 * [int]$arg.schedule_clear_hours)
  $null = Set-CauClusterRole -UseDefault -StartDate $to -Force -ErrorAction Stop
  $null = Disable-CauClusterRole -Force -ErrorAction Stop
  foreach ($r in @(Get-CauClusterRole -ErrorAction Stop)) { $rows["$($r.Name)"] = $r.Value }
}
@{ status = "$($rows['Status'])"; plugin = "$($rows['CauPluginName'])" }
