# Empties one node of its roles. Without -Wait it returns at once and is looked at, so that a lost link costs nothing. On a node that is
# paused already Suspend-ClusterNode would begin anew: that is meant only where its last drain failed.
$n = Get-ClusterNode -Name $arg.target_node -ErrorAction Stop
if ("$($n.State)" -ne 'Paused' -or "$($n.DrainStatus)" -eq 'Failed') {
  $null = Suspend-ClusterNode -Name $arg.target_node -Drain -ErrorAction Stop
  $n = Get-ClusterNode -Name $arg.target_node -ErrorAction Stop
}
@{ state = "$($n.State)"; drain = "$($n.DrainStatus)"; status = "$($n.StatusInformation)" }
