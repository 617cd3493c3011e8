# Both ask without -Force, and over SSH nobody could answer.
$o = @(Set-WSManQuickConfig -Force -ErrorAction Stop *>&1 | ForEach-Object { "$_" }) + @(Enable-PSRemoting -Force -ErrorAction Stop *>&1 | ForEach-Object { "$_" })
@{ said = $o; service = "$((Get-Service -Name WinRM -ErrorAction Stop).Status)" }
