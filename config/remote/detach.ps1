# Starts a detached operation: writes its folder, registers its task, starts it. Sent again it changes nothing that was
# claimed: the claim decides, not this script. The password goes to the task scheduler and nowhere else.
Set-StrictMode -Version Latest
$base = Join-Path $env:ProgramData 'nodelift'
$dir = Join-Path $base "runs\$($arg.run)\$($arg.op)"
$claimed = Test-Path -LiteralPath "$dir\claim"
$registered = $false
if (-not $claimed) {
  $null = New-Item -ItemType Directory -Path $dir -Force -ErrorAction Stop
  # What lies here runs with every right: only SYSTEM and administrators may write to it, whoever made the folder first.
  $null = @($null | & icacls.exe $base /setowner '*S-1-5-32-544')
  $rc = $LASTEXITCODE
  if ($rc -eq 0) {
    $null = @($null | & icacls.exe $base /inheritance:r /grant:r '*S-1-5-18:(OI)(CI)F' '*S-1-5-32-544:(OI)(CI)F')
    $rc = $LASTEXITCODE
  }
  if ($rc -ne 0) { throw "op:Acl: icacls.exe ended with $rc for $base" }
  Set-Content -LiteralPath "$dir\op.ps1" -Value $arg.wrapper -Encoding UTF8 -ErrorAction Stop
  Set-Content -LiteralPath "$dir\script.ps1" -Value $arg.script -Encoding UTF8 -ErrorAction Stop
  Set-Content -LiteralPath "$dir\args.json" -Value (ConvertTo-Json -InputObject $arg.args -Depth 8 -Compress) -Encoding UTF8 -ErrorAction Stop
  $a = New-ScheduledTaskAction -Execute 'powershell.exe' -Argument "-NoProfile -NonInteractive -ExecutionPolicy Bypass -File `"$dir\op.ps1`" -Dir `"$dir`" -Epoch $($arg.epoch)" -ErrorAction Stop
  $s = New-ScheduledTaskSettingsSet -ExecutionTimeLimit (New-TimeSpan -Seconds 0) -Priority 4 -MultipleInstances IgnoreNew -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries -ErrorAction Stop
  $p = @{ TaskPath = '\nodelift\'; TaskName = $arg.op; Action = $a; Settings = $s; Description = "nodelift $($arg.op)"; ErrorAction = 'Stop' }
  if (-not $arg.user) {
    $p['Principal'] = New-ScheduledTaskPrincipal -UserId 'SYSTEM' -LogonType ServiceAccount -RunLevel Highest -ErrorAction Stop
  }
  elseif ($arg.user -like '*$') {
    # A group managed service account: Windows knows its password.
    $p['Principal'] = New-ScheduledTaskPrincipal -UserId $arg.user -LogonType Password -RunLevel Highest -ErrorAction Stop
  }
  else {
    $p['User'] = $arg.user
    $p['Password'] = $arg.password
    $p['RunLevel'] = 'Highest'
  }
  try { $null = Register-ScheduledTask @p; $registered = $true }
  catch { if ($_.FullyQualifiedErrorId -notlike 'HRESULT 0x800700b7*') { throw } }
  Start-ScheduledTask -TaskPath '\nodelift\' -TaskName $arg.op -ErrorAction Stop
}
$t = Get-ScheduledTask -TaskPath '\nodelift\' -TaskName $arg.op -ErrorAction SilentlyContinue
@{ dir = $dir; claimed = $claimed; registered = $registered; task = $(if ($t) { "$($t.State)" }) }
