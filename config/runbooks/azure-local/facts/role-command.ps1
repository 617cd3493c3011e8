# Every option of the run is given to the role explicitly. A parameter that this Set-CauClusterRole does not have is found here, by day.
$want = 'ClusterName', 'UseDefault', 'StartDate', 'CauPluginName', 'CauPluginArguments', 'MaxFailedNodes', 'MaxRetriesPerNode', 'RebootTimeoutMinutes',
  'SuspendClusterNodeTimeoutMinutes', 'WarnAfter', 'StopAfter', 'FailbackMode', 'NodeOrder', 'RequireAllNodesOnline', 'EnableFirewallRules', 'RebootMode',
  'UpdateNow', 'Force'
$have = @((Get-Command -Name Set-CauClusterRole -ErrorAction Stop).Parameters.Keys | ForEach-Object { "$_" })
@{ missing = @($want | Where-Object { $have -notcontains $_ }) }
