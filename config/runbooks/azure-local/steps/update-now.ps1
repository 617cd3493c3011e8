# Asks the role to run now: its owner orchestrates, a node, and another one after that one restarts. With the cluster's full name
# nothing starts and nothing is said. Before it the schedule is looked at once more; after the options Windows wants a few seconds.
$rows = @{}
foreach ($r in @(Get-CauClusterRole -ErrorAction Stop)) { $rows["$($r.Name)"] = $r.Value }
if ("$($rows['Status'])" -ne 'Online') { throw "the updating role is $($rows['Status']): it must be online to run" }
if ("$($rows['CauPluginName'])" -ne 'Microsoft.RollingUpgradePlugin') { throw "the updating role has the plug-in $($rows['CauPluginName'])" }
$now = (Get-CimInstance -ClassName Win32_OperatingSystem -ErrorAction Stop).LocalDateTime
if ($null -ne $rows['DaysOfWeek'] -and $rows['StartDate'] -lt $now.AddHours([int]$arg.schedule_clear_hours)) {
  throw "the schedule of the updating role begins $(Utc $rows['StartDate']): it must begin beyond the run"
}
Start-Sleep -Seconds 10
$short = "$($arg.cluster)".Split('.')[0]
if ($arg.credssp) {
  $secret = ConvertTo-SecureString -String $arg.task_password -AsPlainText -Force -ErrorAction Stop
  $who = New-Object -TypeName System.Management.Automation.PSCredential -ArgumentList "$($arg.task_account)", $secret
  $null = Invoke-Command -ComputerName $env:COMPUTERNAME -Authentication Credssp -Credential $who -ArgumentList $short -ErrorAction Stop -ScriptBlock {
    Set-CauClusterRole -ClusterName $args[0] -UpdateNow -Force -ErrorAction Stop
  }
} else { $null = Set-CauClusterRole -ClusterName $short -UpdateNow -Force -ErrorAction Stop }
@{ asked = $short }
