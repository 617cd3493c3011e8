# What Windows Update offers each node beside the upgrade. Not while a run goes on: it would be refused. When no node needs anything there are
# no rows at all.
$state = "$(@(Get-CauRun -ClusterName $arg.cluster -ErrorAction Stop)[0])"
$bad = @()
$n = @()
if ($state -eq 'RunNotInProgress') {
  $n = @(Invoke-CauScan -ClusterName $arg.cluster -CauPluginName Microsoft.WindowsUpdatePlugin -ErrorAction SilentlyContinue -ErrorVariable bad)
}
@{
  state = $state
  updates = @($n | Where-Object { $_ } | ForEach-Object { @{ node = "$($_.NodeName)"; id = "$($_.UpdateId)"; title = "$($_.UpdateTitle)" } })
  errors = @($bad | ForEach-Object { @{ node = "$($_.TargetObject)"; id = "$($_.FullyQualifiedErrorId)"; message = "$($_.Exception.Message)" } })
}
