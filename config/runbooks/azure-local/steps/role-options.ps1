# What the role is to do when it is asked to: the plug-in of this upgrade from Windows Update, every limit given, a full restart. Its
# schedule begins beyond the run, and is read again: any change of the role may bring one. UpdateClusterFunctionalLevel is never
# passed. The cluster's short name, as the run wants it.
$to = (Get-CimInstance -ClassName Win32_OperatingSystem -ErrorAction Stop).LocalDateTime.AddHours(2 * [int]$arg.schedule_clear_hours)
$limits = @{
  MaxFailedNodes = [int]$arg.max_failed_nodes
  MaxRetriesPerNode = [int]$arg.max_retries_per_node
  RebootTimeoutMinutes = [int]$arg.reboot_timeout_minutes
  SuspendClusterNodeTimeoutMinutes = [int]$arg.suspend_timeout_minutes
  WarnAfter = New-TimeSpan -Hours $arg.warn_after_hours
  StopAfter = New-TimeSpan -Hours $arg.stop_after_hours
  FailbackMode = "$($arg.failback_mode)"
  RequireAllNodesOnline = [bool]$arg.require_all_nodes_online
  EnableFirewallRules = [bool]$arg.enable_firewall_rules
  RebootMode = 'FullReboot'
}
if (@($arg.node_order).Count) { $limits['NodeOrder'] = @($arg.node_order | ForEach-Object { "$_" }) }
$have = @((Get-Command -Name Set-CauClusterRole -ErrorAction Stop).Parameters.Keys | ForEach-Object { "$_" })
$set = @{
  ClusterName = "$($arg.cluster)".Split('.')[0]
  UseDefault = $true
  StartDate = $to
  CauPluginName = 'Microsoft.RollingUpgradePlugin'
  CauPluginArguments = @{ WuConnected = 'true' }
}
$said = @()
foreach ($k in @($limits.Keys | Sort-Object)) {
  $value = $(if ($limits[$k] -is [timespan]) { "$($limits[$k].TotalHours) h" } else { "$($limits[$k])" })
  if ($have -contains $k) { $set[$k] = $limits[$k]; $said += "$k = $value" } else { $said += "$k is not known to this Set-CauClusterRole" }
}
if ($arg.credssp) {
  # With the credentials that were given, on this machine: only so they reach the others.
  $secret = ConvertTo-SecureString -String $arg.task_password -AsPlainText -Force -ErrorAction Stop
  $who = New-Object -TypeName System.Management.Automation.PSCredential -ArgumentList "$($arg.task_account)", $secret
  $null = Invoke-Command -ComputerName $env:COMPUTERNAME -Authentication Credssp -Credential $who -ArgumentList $set -ErrorAction Stop -ScriptBlock {
    $private:p = $args[0]
    Set-CauClusterRole @p -Force -ErrorAction Stop
  }
} else { $null = Set-CauClusterRole @set -Force -ErrorAction Stop }
$rows = @{}
foreach ($r in @(Get-CauClusterRole -ErrorAction Stop)) { $rows["$($r.Name)"] = $r.Value }
@{ plugin = "$($rows['CauPluginName'])"; start_utc = Utc $rows['StartDate']; reboot_mode = "$($rows['RebootMode'])"; options = $said }
