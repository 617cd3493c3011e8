# Hands the nodes to Cluster-Aware Updating and stays with it until it ends; runs as a task of its own on the coordinator.
# Every limit is given, none left to its default. UpdateClusterFunctionalLevel is never passed: raising the level is a step
# of its own, because it cannot be undone.
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
# From the folder with the media where one is set, the same on every node; else from Windows Update. A rehearsal runs a script in the
# place of Setup.
$source = if ("$($arg.media_path)") { @{ WuConnected = 'false'; PathToSetupMedia = "$($arg.media_path)" } } else { @{ WuConnected = 'true' } }
if ($arg.rehearsal) { $source = @{ WuConnected = 'false'; PathToSetupMedia = "$($arg.rehearsal_script)"; MockSetup = 'true' } }
$have = @((Get-Command -Name Invoke-CauRun -ErrorAction Stop).Parameters.Keys | ForEach-Object { "$_" })
$run = @{
  ClusterName = $arg.cluster
  CauPluginName = 'Microsoft.RollingUpgradePlugin'
  CauPluginArguments = $source
  Force = $true
  Verbose = $true
  ErrorAction = 'Stop'
}
if ($arg.rehearsal) { $run['ForceSelfUpdate'] = $true; 'rehearsal: every node restarts, none is upgraded' }
foreach ($k in @($limits.Keys | Sort-Object)) {
  if ($have -contains $k) { $run[$k] = $limits[$k]; "limit $k = $($limits[$k])" } else { "limit $k is not known to this Invoke-CauRun" }
}
$status = 'none'
Invoke-CauRun @run | ForEach-Object {
  $kind = "$($_.PSTypeNames[0])"
  if ($kind -like '*.NodeStatusNotification' -or $kind -like '*.NodeResult') { "$($_.Node.NodeName): $($_.Status)" }
  if ($kind -like '*.ClusterResult') { $status = "$($_.Status)"; "run $($_.RunId): $status" }
}
if ($status -ne 'Succeeded') { throw "cau:$status" }
