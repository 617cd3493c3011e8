# The role is looked for as a resource, by its type: absence is then no error.
$res = @(Get-ClusterResource -ErrorAction Stop | Where-Object { "$($_.ResourceType)" -eq 'ClusterAwareUpdatingResource' })
$out = @{ present = $res.Count -gt 0; state = $null; rows = @{} }
if ($res.Count) {
  $out.state = "$($res[0].State)"
  foreach ($r in @(Get-CauClusterRole -ErrorAction Stop)) {
    $v = $r.Value
    if ($v -is [datetime]) { $v = Utc $v }
    elseif ($v -is [array]) { $v = @($v | ForEach-Object { "$_" }) }
    elseif ($null -ne $v -and $v -isnot [bool]) { $v = "$v"; if ($v -match '^-?[0-9]+$') { $v = [int64]$v } }
    $out.rows["$($r.Name)"] = $v
  }
}
$out
