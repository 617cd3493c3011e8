# One that runs already is left alone.
foreach ($x in @(Get-VM -Name $arg.item -ErrorAction Stop)) {
  if ("$($x.State)" -ne 'Running') { Start-VM -VM $x -ErrorAction Stop }
}
@{ state = @(Get-VM -Name $arg.item -ErrorAction Stop | ForEach-Object { "$($_.State)" }) -join ', ' }
