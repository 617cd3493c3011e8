# After the upgrade: the SSH server starts with Windows and runs, and its port and its shell are as they were recorded before it.
$file = Join-Path -Path $env:ProgramData -ChildPath 'nodelift\ssh\before.json'
$before = $null
if (Test-Path -LiteralPath $file -PathType Leaf) { $before = ConvertFrom-Json (Get-Content -LiteralPath $file -Raw -Encoding UTF8 -ErrorAction Stop) }
$did = @()
$undo = @()
$s = Get-Service -Name sshd -ErrorAction Stop
if ("$($s.StartType)" -ne 'Automatic') {
  Set-Service -Name sshd -StartupType Automatic -ErrorAction Stop
  $did += "starts with Windows: it was $($s.StartType)"
  $undo += "Set-Service -Name sshd -StartupType $($s.StartType)"
}
if ("$($s.Status)" -ne 'Running') { Start-Service -Name sshd -ErrorAction Stop; $did += 'started' }
$rule = @(Get-NetFirewallRule -Name 'OpenSSH-Server-In-TCP' -ErrorAction Ignore)
if ($before -and $before.rule -and $before.rule.enabled) {
  $profiles = "$($before.rule.profile)" -replace ' '
  if (-not $rule.Count) {
    $null = New-NetFirewallRule -Name 'OpenSSH-Server-In-TCP' -DisplayName 'OpenSSH SSH Server (sshd)' -Direction Inbound -Protocol TCP -LocalPort 22 -Action Allow -Enabled True -Profile ($profiles -split ',') -ErrorAction Stop
    $did += 'opened its port'
    $undo += 'Remove-NetFirewallRule -Name OpenSSH-Server-In-TCP'
  }
  elseif ("$($rule[0].Enabled)" -ne 'True' -or ("$($rule[0].Profile)" -replace ' ') -ne $profiles) {
    Set-NetFirewallRule -Name 'OpenSSH-Server-In-TCP' -Enabled True -Profile ($profiles -split ',') -ErrorAction Stop
    $did += 'opened its port'
    $undo += "Set-NetFirewallRule -Name OpenSSH-Server-In-TCP -Enabled $($rule[0].Enabled) -Profile $("$($rule[0].Profile)" -replace ' ')"
  }
}
if ($before -and $before.shell -and "$(RegValue 'HKLM:\SOFTWARE\OpenSSH' DefaultShell)" -ne "$($before.shell)") {
  $null = New-ItemProperty -Path 'HKLM:\SOFTWARE\OpenSSH' -Name DefaultShell -Value "$($before.shell)" -PropertyType String -Force -ErrorAction Stop
  $did += 'gave it its shell'
  $undo += 'Remove-ItemProperty -Path HKLM:\SOFTWARE\OpenSSH -Name DefaultShell'
}
@{ did = $did; undo = $undo }
