# Parses scripts with this machine's own engine and runs none of them: each becomes a script block that nobody calls, in a branch
# that is never taken. ConstrainedLanguage allows that; [scriptblock]::Create it refuses.
Set-StrictMode -Version Latest
$wrong = @(foreach ($s in $arg.scripts) {
  try { Invoke-Expression "if (`$false) { `$null = {`n$($s.text)`n} }" }
  catch { @{ name = "$($s.name)"; error = $_.FullyQualifiedErrorId; message = "$($_.Exception.Message)" } }
})
@{ parsed = @($arg.scripts).Count - $wrong.Count; wrong = $wrong }
