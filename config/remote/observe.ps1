# What became of a detached operation: what its files say, whether its process lives, whether the machine started again
# since. Absence of the whole folder is an answer: it was never started.
Set-StrictMode -Version Latest
$dir = Join-Path $env:ProgramData "nodelift\runs\$($arg.run)\$($arg.op)"
$out = @{ claim = Test-Path -LiteralPath "$dir\claim"; alive = $null; same_boot = $null; exit = $null; task = $null; log = $null }
$files = @{ run = $null; exit = $null }
foreach ($f in 'run', 'exit') {
  # The wrapper replaces a file by deleting and moving: a moment without it is no answer yet.
  for ($i = 0; $i -lt 3 -and $null -eq $files[$f]; $i++) {
    if (Test-Path -LiteralPath "$dir\$f.json") { $files[$f] = ConvertFrom-Json (Get-Content -LiteralPath "$dir\$f.json" -Raw -Encoding UTF8 -ErrorAction Stop) }
    elseif (Test-Path -LiteralPath "$dir\$f.json.tmp") { Start-Sleep -Milliseconds 100 }
  }
}
if (Test-Path -LiteralPath "$dir\out.log") { $out.log = [int64](Get-Item -LiteralPath "$dir\out.log" -ErrorAction Stop).Length }
if ($files.exit) { $out.exit = @{ code = [int64]$files.exit.code; why = "$($files.exit.why)"; message = $(if ($null -ne $files.exit.message) { "$($files.exit.message)" }) } }
if ($files.run) {
  # Two readers of one process differ by milliseconds, and the time of the start drifts with the clock: tolerances.
  $p = Get-Process -Id $files.run.pid -ErrorAction SilentlyContinue
  $age = $(if ($p) { ($p.StartTime.ToUniversalTime() - ([datetime]"$($files.run.start)").ToUniversalTime()).TotalSeconds } else { 99 })
  $out.alive = $age -gt -2 -and $age -lt 2
  $boot = (Get-CimInstance -ClassName Win32_OperatingSystem -ErrorAction Stop).LastBootUpTime.ToUniversalTime()
  $drift = ($boot - ([datetime]"$($files.run.boot)").ToUniversalTime()).TotalSeconds
  $out.same_boot = $drift -gt -120 -and $drift -lt 120
}
$t = Get-ScheduledTask -TaskPath '\nodelift\' -TaskName $arg.op -ErrorAction SilentlyContinue
if ($t) {
  $i = Get-ScheduledTaskInfo -TaskPath '\nodelift\' -TaskName $arg.op -ErrorAction Stop
  $out.task = "$($t.State), last result $([int64]$i.LastTaskResult), as $($t.Principal.UserId)"
}
$out
