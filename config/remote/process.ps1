$p = @(Get-Process -Id $arg.pid -ErrorAction SilentlyContinue)
if ($p.Count -eq 1) { @{ name = "$($p[0].ProcessName)"; start = $p[0].StartTime.ToUniversalTime().ToString('o') } }
