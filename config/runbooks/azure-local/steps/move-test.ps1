# One virtual machine goes to another node and comes back: live where one runs, else a role that is off. The one that is asked for, or
# the first by name. What it was about is noted, so that it is not done twice.
$up = @(Get-ClusterNode -ErrorAction Stop | Where-Object { "$($_.State)" -eq 'Up' } | ForEach-Object { "$($_.Name)" })
$all = @(Get-ClusterGroup -ErrorAction Stop | Where-Object { "$($_.GroupType)" -eq 'VirtualMachine' } | Sort-Object Name)
if ($arg.move_test_vm) {
  $all = @($all | Where-Object { "$($_.Name)" -eq $arg.move_test_vm })
  if (-not $all.Count) { throw "there is no virtual machine $($arg.move_test_vm) in this cluster: name another one in the setting move_test_vm" }
}
$pick = @($all | Where-Object { "$($_.State)" -eq 'Online' }) + @($all | Where-Object { "$($_.State)" -eq 'Offline' })
$done = @{ vm = $null; from = $null; by = $null; live = $false }
if ($pick.Count) {
  $g = $pick[0]
  $name = "$($g.Name)"
  $from = "$($g.OwnerNode)"
  $other = @($up | Where-Object { $_ -ne $from })
  if (-not $other.Count) { throw 'no other node is Up: there is nowhere to move a virtual machine to' }
  $live = "$($g.State)" -eq 'Online'
  foreach ($to in @($other[0], $from)) {
    if ($live) { $null = Move-ClusterVirtualMachineRole -Name $name -Node $to -MigrationType Live -ErrorAction Stop }
    else { $null = Move-ClusterGroup -Name $name -Node $to -ErrorAction Stop }
    $now = "$((Get-ClusterGroup -Name $name -ErrorAction Stop).OwnerNode)"
    if ($now -ne $to) { throw "$name was to be moved to $to, and is on $now" }
  }
  $done = @{ vm = $name; from = $from; by = $other[0]; live = $live }
}
$k = 'HKLM:\SOFTWARE\nodelift'
if (-not (Test-Path -LiteralPath $k)) { $null = New-Item -Path $k -ErrorAction Stop }
Set-ItemProperty -LiteralPath $k -Name MoveTestBuild -Value "$(RegValue 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion' CurrentBuildNumber)" -Type String -ErrorAction Stop
$done
