# Acknowledged at once; the node in work is finished first. On a node, so that no second hop is needed.
$r = Stop-CauRun -ClusterName $arg.cluster -Force -ErrorAction Stop
@{ acknowledged = [bool]$r }
