# Clears the run that a coordinator left locked. As a task on the coordinator, because it reaches every node. Nothing else may be given
# beside -ForceRecovery: the other limits belong to another parameter set.
Invoke-CauRun -ClusterName $arg.cluster -ForceRecovery -Force -ErrorAction Stop
"cleared the Updating Run of $($arg.cluster)"
