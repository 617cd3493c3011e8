# Types of the protectors, never a recovery password.
if (-not (Get-Command Get-BitLockerVolume -ErrorAction Ignore)) { @{ available = $false; volumes = @() } } else {
  @{
    available = $true
    volumes = @(Get-BitLockerVolume -ErrorAction Stop | ForEach-Object {
      @{
        mount = "$($_.MountPoint)"
        protection = "$($_.ProtectionStatus)"
        status = "$($_.VolumeStatus)"
        protectors = @($_.KeyProtector | ForEach-Object { "$($_.KeyProtectorType)" })
      }
    })
  }
}
