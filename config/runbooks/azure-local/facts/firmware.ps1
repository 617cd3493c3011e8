# Two sources for Secure Boot: the cmdlet needs elevation and its errors are an answer; the registry value is absent
# without UEFI.
$out = @{
  secure_boot = $null
  secure_boot_why = $null
  secure_boot_registry = RegValue 'HKLM:\SYSTEM\CurrentControlSet\Control\SecureBoot\State' UEFISecureBootEnabled
  tpm_present = $null
  tpm_ready = $null
  tpm_why = $null
}
try { $out.secure_boot = [bool](Confirm-SecureBootUEFI -ErrorAction Stop) }
catch { $out.secure_boot_why = "$($_.CategoryInfo.Category): $($_.FullyQualifiedErrorId)" }
try { $t = Get-Tpm -ErrorAction Stop; $out.tpm_present = [bool]$t.TpmPresent; $out.tpm_ready = [bool]$t.TpmReady }
catch { $out.tpm_why = "$($_.CategoryInfo.Category): $($_.FullyQualifiedErrorId)" }
$out
