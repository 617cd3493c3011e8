# Installs what Windows Update still offers the nodes, one after the other, by Cluster-Aware Updating; runs as a task of its own on the
# coordinator and stays with the run. Every limit is given, none left to its default.
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
$have = @((Get-Command -Name Invoke-CauRun -ErrorAction Stop).Parameters.Keys | ForEach-Object { "$_" })
$run = @{ ClusterName = $arg.cluster; CauPluginName = 'Microsoft.WindowsUpdatePlugin'; Force = $true; Verbose = $true; ErrorAction = 'Stop' }
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
