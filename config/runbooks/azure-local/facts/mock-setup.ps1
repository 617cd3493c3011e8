# Whether the plug-in here knows the argument of a rehearsal. A scan changes nothing, and an argument that the plug-in does not know is
# refused with an ArgumentException. Only a rehearsal asks.
$out = @{ asked = [bool]$arg.rehearsal; self_update = $false; known = $false; error = $null }
if ($out.asked) {
  $out.self_update = @((Get-Command -Name Invoke-CauRun -ErrorAction Stop).Parameters.Keys) -contains 'ForceSelfUpdate'
  $source = @{ WuConnected = 'false'; PathToSetupMedia = "$($arg.rehearsal_script)"; MockSetup = 'true' }
  try {
    $null = @(Invoke-CauScan -ClusterName $arg.cluster -CauPluginName Microsoft.RollingUpgradePlugin -CauPluginArguments $source -ErrorAction Stop)
    $out.known = $true
  } catch {
    if ("$($_.FullyQualifiedErrorId)" -notlike 'ArgumentException*') { throw }
    $out.error = "$($_.Exception.Message)"
  }
}
$out
