# Who runs here, and with which rights. Groups are matched by SID: their names are translated. Without elevation 544 is
# still listed ("deny only", a translated word), so the integrity level decides.
$g = @($null | & whoami.exe /groups)
$rc = $LASTEXITCODE
if ($rc -ne 0) { throw "whoami.exe ended with $rc" }
@{
  computer = $env:COMPUTERNAME
  user = "$($null | & whoami.exe)"
  ps = "$($PSVersionTable.PSVersion)"
  edition = "$($PSVersionTable.PSEdition)"
  language = "$($ExecutionContext.SessionState.LanguageMode)"
  administrators = @($g -match 'S-1-5-32-544').Count -gt 0
  high_integrity = @($g -match 'S-1-16-(12288|16384)').Count -gt 0
}
