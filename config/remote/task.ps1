# Whether a task can be registered, run and removed here: the way of every detached operation. It leaves nothing behind, and
# the password goes to the task scheduler and nowhere else.
Set-StrictMode -Version Latest
$name = "nodelift-doctor-$($arg.id)"
$a = New-ScheduledTaskAction -Execute 'powershell.exe' -Argument '-NoProfile -NonInteractive -ExecutionPolicy Bypass -Command "exit 42"' -ErrorAction Stop
$s = New-ScheduledTaskSettingsSet -ExecutionTimeLimit (New-TimeSpan -Minutes 5) -Priority 4 -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries -ErrorAction Stop
$p = @{ TaskPath = '\'; TaskName = $name; Action = $a; Settings = $s; Description = 'nodelift doctor: removed by itself'; ErrorAction = 'Stop' }
if (-not $arg.user) {
  $p['Principal'] = New-ScheduledTaskPrincipal -UserId 'SYSTEM' -LogonType ServiceAccount -RunLevel Highest -ErrorAction Stop
}
elseif ($arg.user -like '*$') {
  $p['Principal'] = New-ScheduledTaskPrincipal -UserId $arg.user -LogonType Password -RunLevel Highest -ErrorAction Stop
}
else {
  $p['User'] = $arg.user
  $p['Password'] = $arg.password
  $p['RunLevel'] = 'Highest'
}
$null = Register-ScheduledTask @p
$result = $null
try {
  $from = Get-Date
  Start-ScheduledTask -TaskPath '\' -TaskName $name -ErrorAction Stop
  # It runs, has not run yet, or waits for its turn.
  do {
    Start-Sleep -Milliseconds 250
    $result = [int64](Get-ScheduledTaskInfo -TaskPath '\' -TaskName $name -ErrorAction Stop).LastTaskResult
    $seconds = ((Get-Date) - $from).TotalSeconds
  } while ($result -in 267009, 267011, 267045 -and $seconds -lt 60)
}
finally { Unregister-ScheduledTask -TaskPath '\' -TaskName $name -Confirm:$false -ErrorAction Stop }
@{ result = $result; left = @(Get-ScheduledTask -TaskPath '\' -TaskName $name -ErrorAction SilentlyContinue).Count }
