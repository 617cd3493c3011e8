# Before Windows Setup: records how the SSH server of this machine is set up, and lays down what Setup runs after the upgrade, and after
# one that it undid: the service is there, starts with Windows and runs, its port is open, its shell is the one it was. Small on purpose:
# nothing in it waits for anything but the capability, and only where the service is gone. Whoever may write here may run with every
# right, so only SYSTEM and administrators may.
if ($env:COMPUTERNAME -ne $arg.target_node) { throw 'ssh:OtherMachine: this is not the machine that is to be upgraded' }
$base = Join-Path -Path $env:ProgramData -ChildPath 'nodelift'
$dir = Join-Path -Path $base -ChildPath 'ssh'
$null = New-Item -ItemType Directory -Path $dir -Force -ErrorAction Stop
$null = @($null | & icacls.exe $base /setowner '*S-1-5-32-544')
$rc = $LASTEXITCODE
if ($rc -eq 0) {
  $null = @($null | & icacls.exe $base /inheritance:r /grant:r '*S-1-5-18:(OI)(CI)F' '*S-1-5-32-544:(OI)(CI)F')
  $rc = $LASTEXITCODE
}
if ($rc -ne 0) { throw "ssh:Acl: icacls.exe ended with $rc for $base" }
$s = Get-Service -Name sshd -ErrorAction Stop
$rule = @(Get-NetFirewallRule -Name 'OpenSSH-Server-In-TCP' -ErrorAction Ignore)
$shell = RegValue 'HKLM:\SOFTWARE\OpenSSH' DefaultShell
$keys = @{}
foreach ($f in @(Get-ChildItem -Path "$env:ProgramData\ssh" -Filter 'ssh_host_*_key.pub' -Name -ErrorAction Ignore)) {
  $keys["$f"] = "$((Get-FileHash -LiteralPath "$env:ProgramData\ssh\$f" -Algorithm SHA256 -ErrorAction Stop).Hash)"
}
$before = @{
  start = "$($s.StartType)"
  rule = $(if ($rule.Count) { @{ enabled = "$($rule[0].Enabled)" -eq 'True'; profile = "$($rule[0].Profile)" } })
  shell = $shell
  keys = $keys
}
$lines = @(
  '@echo off'
  'rem nodelift: Windows Setup runs this after an upgrade, or after one that it undid. It brings the SSH server back.'
  'cd /d "%~dp0"'
  'echo %DATE% %TIME% %~n0 > hook.log'
  'sc.exe query sshd >> hook.log 2>&1 || dism.exe /Online /Add-Capability /CapabilityName:OpenSSH.Server~~~~0.0.1.0 /NoRestart /Quiet >> hook.log 2>&1'
  'sc.exe config sshd start= auto >> hook.log 2>&1'
)
if ($rule.Count -and "$($rule[0].Enabled)" -eq 'True') {
  $lines += "powershell.exe -NoProfile -NonInteractive -Command `"Set-NetFirewallRule -Name OpenSSH-Server-In-TCP -Enabled True -Profile $("$($rule[0].Profile)" -replace ' ')`" >> hook.log 2>&1"
}
if ($shell) { $lines += "reg.exe add HKLM\SOFTWARE\OpenSSH /v DefaultShell /t REG_SZ /d `"$shell`" /f >> hook.log 2>&1" }
$lines += 'sc.exe start sshd >> hook.log 2>&1', 'exit /b 0'
Remove-Item -LiteralPath "$dir\hook.log" -ErrorAction Ignore
foreach ($name in 'setupcomplete.cmd', 'setuprollback.cmd') { Set-Content -LiteralPath "$dir\$name" -Value $lines -Encoding ASCII -ErrorAction Stop }
Set-Content -LiteralPath "$dir\before.json" -Value (ConvertTo-Json -InputObject $before -Depth 4 -Compress) -Encoding UTF8 -ErrorAction Stop
@{ folder = $dir; start = $before.start }
