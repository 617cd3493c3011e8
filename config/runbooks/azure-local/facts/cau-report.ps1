# The last report. A run that was cleared by recovery leaves none, and this is then an older one.
$s = @(Get-CauReport -Last -ErrorAction Stop)
if (-not $s.Count) { @{ present = $false } } else {
  $d = @(Get-CauReport -Last -Detailed -ErrorAction Stop)[0]
  $c = $d.ClusterResult
  @{
    present = $true
    run_id = "$($c.RunId)"
    plugin = @($d.Plugin | ForEach-Object { "$_" })
    orchestrator = "$($d.OrchestratorMachine)"
    status = "$($c.Status)"
    started_utc = Utc $c.StartTimestamp
    seconds = [int64]$c.RunDuration.TotalSeconds
    functional_level = "$($c.UpgradeFunctionalLevelStatus)"
    error_id = $(if ($c.ErrorRecordData) { "$($c.ErrorRecordData.FullyQualifiedErrorId)" })
    nodes = @($c.NodeResults | Where-Object { $_ } | ForEach-Object {
      @{
        node = "$($_.Node.NodeName)"
        status = "$($_.Status)"
        error = $(if ($_.ErrorRecordData) { "$($_.ErrorRecordData.ExceptionData)" })
        setup_exit = $(if ($_.UpgradeResult) { [int64]$_.UpgradeResult.SetupExitCode })
        upgrade = $(if ($_.UpgradeResult) { "$($_.UpgradeResult.UpgradeInstallResultCode)" })
        suspended_utc = Utc $_.NodeSuspendedTimestamp
        suspended_seconds = $(if ($null -ne $_.NodeSuspendedDuration) { [int64]$_.NodeSuspendedDuration.TotalSeconds })
      }
    })
  }
}
