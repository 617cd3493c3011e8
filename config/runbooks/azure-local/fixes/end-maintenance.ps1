# Storage units that stand in maintenance; their disks come into sync afterwards, which takes its time.
$undo = @()
$names = @()
foreach ($u in @(Get-StorageFaultDomain -Type StorageScaleUnit -ErrorAction Stop | Where-Object { @($_.OperationalStatus | ForEach-Object { "$_" }) -contains 'In Maintenance Mode' })) {
  $u | Disable-StorageMaintenanceMode -ErrorAction Stop
  $names += "$($u.FriendlyName)"
  $undo = @("Get-StorageFaultDomain -Type StorageScaleUnit | Where-Object FriendlyName -eq '$($u.FriendlyName)' | Enable-StorageMaintenanceMode") + $undo
}
@{ units = $names; undo = $undo }
