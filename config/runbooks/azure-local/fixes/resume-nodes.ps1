# Every node that is paused, after its drain or without one. On a node that is Up resuming is an error, so only those are asked.
$undo = @()
$names = @(Get-ClusterNode -ErrorAction Stop | Where-Object { "$($_.State)" -eq 'Paused' } | ForEach-Object { "$($_.Name)" })
foreach ($n in $names) {
  $null = Resume-ClusterNode -Name $n -Failback Immediate -ErrorAction Stop
  $undo = @("Suspend-ClusterNode -Name $n -Drain") + $undo
}
@{ resumed = $names; undo = $undo }
