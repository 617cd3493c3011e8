# Asks the guest to shut down, and waits as long as Hyper-V does. The power is cut only where somebody chose that for this machine.
$v = @(Get-VM -Name $arg.item -ErrorAction Stop)
foreach ($x in $v) {
  if ("$($x.State)" -eq 'Off' -or "$($x.State)" -eq 'Saved') { continue }
  if ($arg.force) {
    # lint: allow vm-turned-off a person or a setting chose it for this machine, after its guest did not shut down
    Stop-VM -VM $x -TurnOff -Force -ErrorAction Stop
    continue
  }
  # lint: allow prompt with -Force the power would be cut after five minutes; a question that nobody can answer is caught
  try { Stop-VM -VM $x -ErrorAction Stop }
  catch {
    if ($_.FullyQualifiedErrorId -like 'InvalidOperation,*') { throw 'the guest cannot be asked to shut down: its shutdown service does not answer' }
    throw
  }
}
@{ state = @(Get-VM -Name $arg.item -ErrorAction Stop | ForEach-Object { "$($_.State)" }) -join ', ' }
