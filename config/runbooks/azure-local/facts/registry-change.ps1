# When the values of step 0 were written by this program, against the last start of the machine. Windows keeps no time of
# a value that could be read here, so the fix leaves its own note.
@{
  changed_utc = RegValue 'HKLM:\SOFTWARE\nodelift' RegistryChangedUtc
  boot_utc = Utc (Get-CimInstance -ClassName Win32_OperatingSystem -ErrorAction Stop).LastBootUpTime
}
