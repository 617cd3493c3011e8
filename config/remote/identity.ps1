# Who runs here and with which rights, and whether text arrives as it was sent. Reads only. Groups are matched by SID: their
# names are translated. Without elevation 544 is still listed ("deny only"), so the integrity level decides.
Set-StrictMode -Version Latest
$g = @($null | & whoami.exe /groups)
$rc = $LASTEXITCODE
if ($rc -ne 0) { throw "whoami.exe ended with $rc" }
# The code page of programs; where it cannot be read nothing depends on it.
$page = $null
try { $page = "$((Get-ItemProperty -LiteralPath 'HKLM:\SYSTEM\CurrentControlSet\Control\Nls\CodePage' -Name OEMCP -ErrorAction Stop).OEMCP)" } catch { $page = $null }
@{
  computer = $env:COMPUTERNAME
  user = "$($null | & whoami.exe)"
  edition = "$($PSVersionTable.PSEdition)"
  administrators = @($g -match 'S-1-5-32-544').Count -gt 0
  high_integrity = @($g -match 'S-1-16-(12288|16384)').Count -gt 0
  code_page = $page
  text = "$($arg.text)"
  length = "$($arg.text)".Length
}
