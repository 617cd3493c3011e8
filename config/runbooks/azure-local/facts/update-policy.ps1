# Where updates come from. No policy = Microsoft Update. proxy_text is translated: shown and compared, never matched.
$p = 'HKLM:\SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate'
$t = @($null | & netsh.exe winhttp show proxy)
if ($LASTEXITCODE -ne 0) { throw "netsh.exe ended with $LASTEXITCODE" }
@{
  wu_server = RegValue $p WUServer
  use_wu_server = RegValue "$p\AU" UseWUServer
  au_options = RegValue "$p\AU" AUOptions
  no_auto_update = RegValue "$p\AU" NoAutoUpdate
  proxy_text = (@($t | ForEach-Object { "$_".Trim() } | Where-Object { $_ }) -join ' | ')
}
