# The newest report of Test-Cluster on this node. A person reads it: its layout is not documented.
$f = @(Get-ChildItem -Path "$env:SystemRoot\Cluster\Reports\Validation*.xml" -ErrorAction SilentlyContinue | Sort-Object LastWriteTime)
if (-not $f.Count) { @{ file = $null; written_utc = $null; size = $null } } else {
  @{ file = "$($f[-1].FullName)"; written_utc = Utc $f[-1].LastWriteTime; size = [int64]$f[-1].Length }
}
