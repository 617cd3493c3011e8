# Both ask without -Force, and over SSH nobody could answer. Whether the endpoint was off can be read only while WinRM runs.
$s = Get-Service -Name WinRM -ErrorAction Stop
$undo = @()
if ("$($s.Status)" -ne 'Running') { $undo += 'Stop-Service -Name WinRM -Force' }
else {
  foreach ($e in @(Get-PSSessionConfiguration -ErrorAction Stop)) { if ("$($e.Name)" -eq 'Microsoft.PowerShell' -and "$($e.Enabled)" -ne 'True') { $undo += 'Disable-PSRemoting -Force' } }
}
if ("$($s.StartType)" -ne 'Automatic') { $undo += "Set-Service -Name WinRM -StartupType $($s.StartType)" }
try { if ("$((Get-NetFirewallRule -Name WINRM-HTTP-In-TCP -ErrorAction Stop).Enabled)" -ne 'True') { $undo += 'Set-NetFirewallRule -Name WINRM-HTTP-In-TCP -Enabled False' } }
catch { if ($_.FullyQualifiedErrorId -notlike 'CmdletizationQuery_NotFound*') { throw } }
$o = @(Set-WSManQuickConfig -Force -ErrorAction Stop *>&1 | ForEach-Object { "$_" }) + @(Enable-PSRemoting -Force -ErrorAction Stop *>&1 | ForEach-Object { "$_" })
@{ said = $o; service = "$((Get-Service -Name WinRM -ErrorAction Stop).Status)"; undo = $undo }
