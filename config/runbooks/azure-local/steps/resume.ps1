# Puts one node back in service, its roles with it. On a node that is not paused Resume-ClusterNode is an error.
$n = Get-ClusterNode -Name $arg.target_node -ErrorAction Stop
if ("$($n.State)" -ne 'Up') {
  $null = Resume-ClusterNode -Name $arg.target_node -Failback Immediate -ErrorAction Stop
  $n = Get-ClusterNode -Name $arg.target_node -ErrorAction Stop
}
@{ state = "$($n.State)"; drain = "$($n.DrainStatus)"; status = "$($n.StatusInformation)" }
