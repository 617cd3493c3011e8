# Session configurations are listed, and only while WinRM runs: by name an absent one is an error, and with the service
# stopped the cmdlet wants to start it, which is a prompt.
$out = @{ service = $null; start = $null; wsman = $false; wsman_error = $null; rule = $null; endpoint = $null }
$s = Get-Service -Name WinRM -ErrorAction Stop
$out.service = "$($s.Status)"
$out.start = "$($s.StartType)"
try { $out.wsman = @(Test-WSMan -ErrorAction Stop).Count -gt 0 } catch { $out.wsman_error = $_.FullyQualifiedErrorId }
try {
  $r = Get-NetFirewallRule -Name WINRM-HTTP-In-TCP -ErrorAction Stop
  $out.rule = @{ enabled = "$($r.Enabled)" -eq 'True'; profile = "$($r.Profile)" }
}
catch { if ($_.FullyQualifiedErrorId -notlike 'CmdletizationQuery_NotFound*') { throw } }
if ($out.service -eq 'Running') {
  foreach ($e in @(Get-PSSessionConfiguration -ErrorAction Stop)) {
    if ("$($e.Name)" -eq 'Microsoft.PowerShell') { $out.endpoint = "$($e.Enabled)" -eq 'True' }
  }
}
$out
