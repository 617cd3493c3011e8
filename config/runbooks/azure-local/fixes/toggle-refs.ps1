# The document's way for ReFS volumes that do not come online after a restart: the value to 1 and back to 0, then the volumes. Who
# owns a volume that is offline says nothing: it moved away while the node was down.
$f = 'HKLM:\SYSTEM\CurrentControlSet\Control\FileSystem'
$before = RegValue $f RefsEnableMetadataValidation
foreach ($x in 1, 0) { Set-ItemProperty -LiteralPath $f -Name RefsEnableMetadataValidation -Value $x -Type DWord -ErrorAction Stop }
$undo = @()
if ($null -eq $before) { $undo = @("Remove-ItemProperty -LiteralPath '$f' -Name RefsEnableMetadataValidation") }
elseif ($before -ne 0) { $undo = @("Set-ItemProperty -LiteralPath '$f' -Name RefsEnableMetadataValidation -Value $before -Type DWord") }
$started = @()
foreach ($v in @(Get-ClusterSharedVolume -ErrorAction Stop | Where-Object { "$($_.State)" -ne 'Online' })) {
  $null = Start-ClusterResource -Name "$($v.Name)" -ErrorAction Stop
  $started += "$($v.Name)"
}
@{ refs_metadata_validation = RegValue $f RefsEnableMetadataValidation; started = $started; undo = $undo }
