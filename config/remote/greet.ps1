# Who answers there, and since when. Reads only. A computer whose start cannot be read still answers.
Set-StrictMode -Version Latest
$boot = $null
try { $boot = (Get-CimInstance -ClassName Win32_OperatingSystem -ErrorAction Stop).LastBootUpTime.ToUniversalTime().ToString('o') } catch { $boot = $null }
@{
  host = $env:COMPUTERNAME
  ps = "$($PSVersionTable.PSVersion)"
  lang = "$($ExecutionContext.SessionState.LanguageMode)"
  pid = $PID
  utc = (Get-Date).ToUniversalTime().ToString('o')
  boot = $boot
}
