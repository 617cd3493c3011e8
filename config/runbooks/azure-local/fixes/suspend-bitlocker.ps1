# Until it is resumed, however many restarts: a feature update has several.
$v = Get-BitLockerVolume -MountPoint C: -ErrorAction Stop
$undo = @()
if ("$($v.ProtectionStatus)" -eq 'On') {
  $null = Suspend-BitLocker -MountPoint C: -RebootCount 0 -ErrorAction Stop
  $undo = @('Resume-BitLocker -MountPoint C:')
}
@{ protection = "$((Get-BitLockerVolume -MountPoint C: -ErrorAction Stop).ProtectionStatus)"; undo = $undo }
