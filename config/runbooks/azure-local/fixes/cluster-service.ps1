# On the node itself: no other machine has to be reached. After a restart the service has to come by itself.
$s = Get-Service -Name ClusSvc -ErrorAction Stop
$undo = @()
if ("$($s.StartType)" -ne 'Automatic') {
  $undo = @("Set-Service -Name ClusSvc -StartupType $($s.StartType)")
  Set-Service -Name ClusSvc -StartupType Automatic -ErrorAction Stop
}
if ("$($s.Status)" -ne 'Running') {
  $undo = @('Stop-Service -Name ClusSvc') + $undo
  Start-Service -Name ClusSvc -ErrorAction Stop
}
@{ service = "$((Get-Service -Name ClusSvc -ErrorAction Stop).Status)"; undo = $undo }
