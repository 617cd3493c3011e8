# Restarts this machine, once: only while its last start is the one that was seen. The comment tells in the event log (User32 1074)
# whose restart it was; the 30 seconds let the answer leave.
if ($env:COMPUTERNAME -ne $arg.target_node) { throw "this is not the machine that is to restart" }
$boot = Utc (Get-CimInstance -ClassName Win32_OperatingSystem -ErrorAction Stop).LastBootUpTime
$moved = ([datetime]$boot - [datetime]$arg.boot_utc).TotalSeconds
$sent = $moved -le 120 -and $moved -ge -120
if ($sent) {
  $said = @($null | & shutdown.exe /r /t 30 /d p:4:1 /c "nodelift $($arg.operation)" 2>&1 | ForEach-Object { "$_" })
  $rc = $LASTEXITCODE
  # 1190, 1115: one is planned already. The event log says whether it is this one, sent by an engine that did not live to hear of it.
  $ours = 1190, 1115 -contains $rc -and @(Get-WinEvent -FilterHashtable @{ LogName = 'System'; ProviderName = 'User32'; Id = 1074 } -MaxEvents 1 -ErrorAction Ignore |
    Where-Object { "$($_.Message)" -like "*nodelift $($arg.operation)*" }).Count -gt 0
  if ($rc -ne 0 -and -not $ours) { throw "shutdown.exe ended with $($rc): $($said -join ' ')" }
}
@{ sent = $sent; boot_utc = $boot }
