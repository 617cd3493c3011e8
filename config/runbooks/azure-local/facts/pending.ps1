# A key that is present = a restart is pending; renames counts entries that are not empty.
$w = 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion'
$s = 'HKLM:\SYSTEM\CurrentControlSet\Control\Session Manager'
@{
  cbs = Test-Path -LiteralPath "$w\Component Based Servicing\RebootPending"
  wu = Test-Path -LiteralPath "$w\WindowsUpdate\Auto Update\RebootRequired"
  renames = @(RegValue $s PendingFileRenameOperations | Where-Object { $_ }).Count
}
