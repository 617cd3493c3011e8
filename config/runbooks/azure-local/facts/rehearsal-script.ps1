# What a rehearsal runs in the place of Windows Setup on this node.
$path = "$($arg.rehearsal_script)"
$out = @{ path = $path; there = $false; lines = @() }
if ($path -and (Test-Path -LiteralPath $path -PathType Leaf)) {
  $out.there = $true
  $out.lines = @(Get-Content -LiteralPath $path -TotalCount 20 -ErrorAction Stop | ForEach-Object { "$_" })
}
$out
