# The role is looked for as a resource, by its type: absence is then no error.
$res = @(Get-ClusterResource -ErrorAction Stop | Where-Object { "$($_.ResourceType)" -eq 'ClusterAwareUpdatingResource' })
# The clock of this machine says how far away its schedule is.
$now = Utc (Get-CimInstance -ClassName Win32_OperatingSystem -ErrorAction Stop).LocalDateTime
$out = @{ present = $res.Count -gt 0; state = $null; rows = @{}; now_utc = $now }
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
