# The same as restart.ps1, into the firmware: there a person goes on, and the machine starts when they leave it.
if ($env:COMPUTERNAME -ne $arg.target_node) { throw "this is not the machine that is to restart" }
$boot = Utc (Get-CimInstance -ClassName Win32_OperatingSystem -ErrorAction Stop).LastBootUpTime
$moved = ([datetime]$boot - [datetime]$arg.boot_utc).TotalSeconds
$sent = $moved -le 120 -and $moved -ge -120
if ($sent) {
  $said = @($null | & shutdown.exe /r /fw /t 30 /d p:4:1 /c "nodelift $($arg.operation)" 2>&1 | ForEach-Object { "$_" })
  $rc = $LASTEXITCODE
  # 1190, 1115: one is planned already. The event log says whether it is this one, sent by an engine that did not live to hear of it.
  $ours = 1190, 1115 -contains $rc -and @(Get-WinEvent -FilterHashtable @{ LogName = 'System'; ProviderName = 'User32'; Id = 1074 } -MaxEvents 1 -ErrorAction Ignore |
    Where-Object { "$($_.Message)" -like "*nodelift $($arg.operation)*" }).Count -gt 0
  if ($rc -ne 0 -and -not $ours) { throw "shutdown.exe ended with $($rc): $($said -join ' ')" }
}
@{ sent = $sent; boot_utc = $boot }
