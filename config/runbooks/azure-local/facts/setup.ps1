# Windows Setup on this machine: whether it works, its last result, what it left. The key is volatile: it goes with the next restart.
$k = 'HKLM:\SYSTEM\Setup\MoSetup\Volatile'
$result = RegValue $k BoxResult
@{
  running = @(Get-Process -Name SetupPrep, SetupHost, windeploy -ErrorAction Ignore).Count -gt 0
  servicing = @(Get-Process -Name TiWorker -ErrorAction Ignore).Count -gt 0
  progress = RegValue $k SetupProgress
  result = $(if ($null -ne $result) { [int64]$result -band 4294967295 })
  rollback = Test-Path -LiteralPath 'C:\$Windows.~BT\Sources\Rollback\setupact.log'
}
