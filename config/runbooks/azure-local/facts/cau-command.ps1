# Every limit of the run is given explicitly. A parameter that this Invoke-CauRun does not have is found here, by day.
$want = 'ClusterName', 'CauPluginName', 'CauPluginArguments', 'MaxFailedNodes', 'MaxRetriesPerNode', 'RebootTimeoutMinutes',
  'SuspendClusterNodeTimeoutMinutes', 'WarnAfter', 'StopAfter', 'FailbackMode', 'NodeOrder', 'RequireAllNodesOnline', 'EnableFirewallRules', 'Force'
$have = @((Get-Command -Name Invoke-CauRun -ErrorAction Stop).Parameters.Keys | ForEach-Object { "$_" })
@{ missing = @($want | Where-Object { $have -notcontains $_ }) }
