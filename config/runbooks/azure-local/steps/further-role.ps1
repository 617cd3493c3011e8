# The role is told to install what Windows Update still offers the nodes, with every limit given, and asked to run now: its owner
# orchestrates. Its schedule stays beyond the run. With the cluster's short name, as the run wants it.
$rows = @{}
foreach ($r in @(Get-CauClusterRole -ErrorAction Stop)) { $rows["$($r.Name)"] = $r.Value }
if ("$($rows['Status'])" -ne 'Online') { throw "the updating role is $($rows['Status']): it must be online to run" }
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
}
if (@($arg.node_order).Count) { $limits['NodeOrder'] = @($arg.node_order | ForEach-Object { "$_" }) }
$have = @((Get-Command -Name Set-CauClusterRole -ErrorAction Stop).Parameters.Keys | ForEach-Object { "$_" })
$short = "$($arg.cluster)".Split('.')[0]
$set = @{
  ClusterName = $short
  UseDefault = $true
  StartDate = (Get-CimInstance -ClassName Win32_OperatingSystem -ErrorAction Stop).LocalDateTime.AddHours(2 * [int]$arg.schedule_clear_hours)
  CauPluginName = 'Microsoft.WindowsUpdatePlugin'
}
foreach ($k in @($limits.Keys | Sort-Object)) { if ($have -contains $k) { $set[$k] = $limits[$k] } }
if ($arg.credssp) {
  # With the credentials that were given, on this machine: only so they reach the others.
  $secret = ConvertTo-SecureString -String $arg.task_password -AsPlainText -Force -ErrorAction Stop
  $who = New-Object -TypeName System.Management.Automation.PSCredential -ArgumentList "$($arg.task_account)", $secret
  $null = Invoke-Command -ComputerName $env:COMPUTERNAME -Authentication Credssp -Credential $who -ArgumentList $set, $short -ErrorAction Stop -ScriptBlock {
    $private:p = $args[0]
    Set-CauClusterRole @p -Force -ErrorAction Stop
    Start-Sleep -Seconds 10
    Set-CauClusterRole -ClusterName $args[1] -UpdateNow -Force -ErrorAction Stop
  }
} else {
  $null = Set-CauClusterRole @set -Force -ErrorAction Stop
  Start-Sleep -Seconds 10
  $null = Set-CauClusterRole -ClusterName $short -UpdateNow -Force -ErrorAction Stop
}
@{ asked = $short }
