# Writes what a rehearsal runs in the place of Windows Setup: it says that all went well. Its folder is one that only administrators write
# to, because what lies there runs with every right.
$path = "$($arg.rehearsal_script)"
$undo = @()
if (-not (Test-Path -LiteralPath $path -PathType Leaf)) { $undo = @("Remove-Item -LiteralPath '$path'") }
$null = New-Item -ItemType Directory -Path (Split-Path -Path $path -Parent) -Force -ErrorAction Stop
Set-Content -LiteralPath $path -Value '# nodelift: stands in for Windows Setup in a rehearsal and changes nothing.', 'exit 0' -Encoding ASCII -ErrorAction Stop
@{ path = $path; undo = $undo }
