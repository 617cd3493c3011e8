# Makes this computer reachable over SSH: installs OpenSSH Server, starts it now and with Windows, opens its port, and lets one
# public key log in. What is so already stays as it is: run again it changes nothing. Needs the rights of an administrator.
# DefaultShell and sshd_config are not touched.
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$key = "$($arg.public_key)".Trim()
if ($key -notmatch '^(ssh|ecdsa|sk)-[a-z0-9@.-]+ [A-Za-z0-9+/=]{20,}( [ -~]+)?$') { throw 'prepare:Key: this is no public key in OpenSSH form' }
$did = @()

# 1. The server. Windows Update refuses a logon over the network, so SYSTEM installs it: in a task, removed again after that.
if (-not (Get-Service -Name sshd -ErrorAction SilentlyContinue)) {
  $a = New-ScheduledTaskAction -Execute 'dism.exe' -Argument '/Online /Add-Capability /CapabilityName:OpenSSH.Server~~~~0.0.1.0 /NoRestart /Quiet'
  $s = New-ScheduledTaskSettingsSet -ExecutionTimeLimit (New-TimeSpan -Minutes 30) -Priority 4 -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries
  $p = New-ScheduledTaskPrincipal -UserId 'SYSTEM' -LogonType ServiceAccount -RunLevel Highest
  $task = 'nodelift-prepare'
  $null = Register-ScheduledTask -TaskPath '\' -TaskName $task -Action $a -Settings $s -Principal $p -Description 'Installs OpenSSH Server: removed by itself' -Force
  try {
    Start-ScheduledTask -TaskPath '\' -TaskName $task
    # 267009 runs, 267011 has not run yet, 267045 waits for its turn.
    do {
      Start-Sleep -Seconds 2
      $code = [int64](Get-ScheduledTaskInfo -TaskPath '\' -TaskName $task).LastTaskResult
    } while ($code -in 267009, 267011, 267045)
  }
  finally { Unregister-ScheduledTask -TaskPath '\' -TaskName $task -Confirm:$false }
  # 3010: done, and a restart would complete it. 0x800F0954: this computer's WSUS does not offer it.
  if ($code -notin 0, 3010) { throw ('prepare:Install: dism.exe ended with 0x{0:X8}' -f ($code -band 4294967295)) }
  $did += 'installed OpenSSH Server'
}

# 2. The service: now, and with Windows.
$service = Get-Service -Name sshd
if ("$($service.StartType)" -ne 'Automatic') {
  Set-Service -Name sshd -StartupType Automatic
  $did += 'set sshd to start with Windows'
}
if ("$($service.Status)" -ne 'Running') {
  Start-Service -Name sshd
  $did += 'started sshd'
}

# 3. The port, in the domain too: the rule that comes with newer versions of Windows is for private networks only.
$rule = Get-NetFirewallRule -Name 'OpenSSH-Server-In-TCP' -ErrorAction SilentlyContinue
if (-not $rule) {
  $null = New-NetFirewallRule -Name 'OpenSSH-Server-In-TCP' -DisplayName 'OpenSSH SSH Server (sshd)' -Direction Inbound -Protocol TCP -LocalPort 22 -Action Allow -Enabled True -Profile Domain, Private
  $did += 'opened TCP port 22'
}
elseif ("$($rule.Enabled)" -ne 'True' -or "$($rule.Profile)" -notmatch 'Any|Domain') {
  Set-NetFirewallRule -Name 'OpenSSH-Server-In-TCP' -Enabled True -Profile Domain, Private
  $did += 'opened TCP port 22'
}

# 4. The key, for administrators. The file counts only while nobody but SYSTEM and administrators may touch it; no mark of its
# encoding may stand in front. The groups are named by SID: their names are translated.
$folder = Join-Path -Path $env:ProgramData -ChildPath 'ssh'
if (-not (Test-Path -LiteralPath $folder)) { $null = New-Item -ItemType Directory -Path $folder }
$file = Join-Path -Path $folder -ChildPath 'administrators_authorized_keys'
$text = ''
if (Test-Path -LiteralPath $file) { $text = "$(Get-Content -LiteralPath $file -Raw)" }
$words = @($key -split ' ')
$own = "$($words[0]) $($words[1])"
if (-not $text.Contains($own)) {
  $break = ''
  if ($text -and -not $text.EndsWith("`n")) { $break = "`r`n" }
  Add-Content -LiteralPath $file -Value "$break$key" -Encoding Ascii
  $did += 'added the public key'
}
$null = @($null | & icacls.exe $file /inheritance:r /grant:r '*S-1-5-32-544:F' '*S-1-5-18:F')
$rc = $LASTEXITCODE
if ($rc -ne 0) { throw "prepare:Acl: icacls.exe ended with $rc for $file" }

$service = Get-Service -Name sshd
@{ computer = $env:COMPUTERNAME; did = $did; service = "$($service.Status), $($service.StartType)"; keys = $file }
