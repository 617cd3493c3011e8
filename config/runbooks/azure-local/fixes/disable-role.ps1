# So that the role starts no run of its own. Without -ClusterName: on a node it is the local cluster, and no other machine is reached.
function Status { foreach ($r in @(Get-CauClusterRole -ErrorAction Stop)) { if ("$($r.Name)" -eq 'Status') { "$($r.Value)" } } }
$undo = @()
if ((Status) -ne 'Offline') {
  $null = Disable-CauClusterRole -Force -ErrorAction Stop
  $undo = @('Enable-CauClusterRole -Force')
}
@{ status = Status; undo = $undo }
