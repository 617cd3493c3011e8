# The SSH server of this machine as it is, as it was recorded before the upgrade, and whether what puts it right again lies beside that:
# upgrades were seen to disable or to remove it.
$dir = Join-Path -Path $env:ProgramData -ChildPath 'nodelift\ssh'
$service = $null
try { $s = Get-Service -Name sshd -ErrorAction Stop; $service = @{ status = "$($s.Status)"; start = "$($s.StartType)" } }
catch { if ($_.FullyQualifiedErrorId -notlike 'NoServiceFoundForGivenName,*') { throw } }
$rule = @(Get-NetFirewallRule -Name 'OpenSSH-Server-In-TCP' -ErrorAction Ignore)
$keys = @{}
foreach ($f in @(Get-ChildItem -Path "$env:ProgramData\ssh" -Filter 'ssh_host_*_key.pub' -Name -ErrorAction Ignore)) {
  $keys["$f"] = "$((Get-FileHash -LiteralPath "$env:ProgramData\ssh\$f" -Algorithm SHA256 -ErrorAction Stop).Hash)"
}
$before = $null
if (Test-Path -LiteralPath "$dir\before.json" -PathType Leaf) {
  $before = ConvertFrom-Json (Get-Content -LiteralPath "$dir\before.json" -Raw -Encoding UTF8 -ErrorAction Stop)
}
@{
  service = $service
  rule = $(if ($rule.Count) { @{ enabled = "$($rule[0].Enabled)" -eq 'True'; profile = "$($rule[0].Profile)" } })
  shell = RegValue 'HKLM:\SOFTWARE\OpenSSH' DefaultShell
  keys = $keys
  before = $before
  hooks = (Test-Path -LiteralPath "$dir\setupcomplete.cmd" -PathType Leaf) -and (Test-Path -LiteralPath "$dir\setuprollback.cmd" -PathType Leaf)
  put_right = Test-Path -LiteralPath "$dir\hook.log" -PathType Leaf
}
