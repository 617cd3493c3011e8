# Whether the next node may be drained. bytes_left is the progress: percent of several jobs cannot be added.
function Rows([scriptblock]$Read) {
  try { @(& $Read) } catch { if ($_.FullyQualifiedErrorId -notlike 'CmdletizationQuery_NotFound*') { throw } }
}
$busy = @(Rows { Get-StorageJob -ErrorAction Stop } | Where-Object {
  'Repair', 'Regeneration' -contains "$($_.Name)" -and 'New', 'Starting', 'Running', 'Suspended', 'QueryPending' -contains "$($_.JobState)"
})
$disks = @(Rows { Get-VirtualDisk -ErrorAction Stop })
$redundancy = $null
foreach ($d in $disks) { if ($null -eq $redundancy -or [int]$d.PhysicalDiskRedundancy -lt $redundancy) { $redundancy = [int]$d.PhysicalDiskRedundancy } }
$vd = @($disks | Where-Object {
  "$($_.HealthStatus)" -ne 'Healthy' -or (@($_.OperationalStatus | ForEach-Object { "$_" }) -join ',') -ne 'OK'
} | ForEach-Object { "$($_.FriendlyName): $($_.HealthStatus)/$(@($_.OperationalStatus | ForEach-Object { "$_" }) -join ',')" })
$fd = @(Rows { Get-StorageFaultDomain -Type StorageScaleUnit -ErrorAction Stop } | Where-Object { "$($_.HealthStatus)" -ne 'Healthy' } |
  ForEach-Object { "$($_.FriendlyName): $($_.HealthStatus)" })
$nd = @(Get-ClusterNode -ErrorAction Stop | Where-Object { "$($_.State)" -ne 'Up' } | ForEach-Object { "$($_.Name): $($_.State)" })
$left = [int64]0
foreach ($j in $busy) { $left += [int64]$j.BytesTotal - [int64]$j.BytesProcessed }
@{
  jobs = @($busy | ForEach-Object { "$($_.Name): $($_.JobState) $($_.PercentComplete)%" })
  bytes_left = $left
  virtual_disks = $vd
  units = $fd
  nodes_not_up = $nd
  redundancy = $redundancy
  open = ($busy.Count + $vd.Count + $fd.Count + $nd.Count) -eq 0
}
