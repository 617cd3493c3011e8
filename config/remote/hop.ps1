# Whether this login may speak with another machine: one with a key has no credentials on the network. Reads only. That it may
# not is an answer, never an error.
Set-StrictMode -Version Latest
$out = @{ to = "$($arg.to)"; build = $null; error = $null; message = $null }
try { $out.build = "$((Get-CimInstance -ClassName Win32_OperatingSystem -ComputerName $arg.to -ErrorAction Stop).BuildNumber)" }
catch { $out.error = $_.FullyQualifiedErrorId; $out.message = "$($_.Exception.Message)" }
$out
