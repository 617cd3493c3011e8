# The role that is there and disabled. Without -ClusterName: on a node it is the local cluster, and no other machine is reached.
function Status { foreach ($r in @(Get-CauClusterRole -ErrorAction Stop)) { if ("$($r.Name)" -eq 'Status') { "$($r.Value)" } } }
$undo = @()
if ((Status) -ne 'Online') {
  $null = Enable-CauClusterRole -Force -ErrorAction Stop
  $undo = @('Disable-CauClusterRole -Force')
}
@{ status = Status; undo = $undo }
