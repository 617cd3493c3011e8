# The last report. A run that was cleared by recovery leaves none, and this is then an older one. Where it did not succeed, the reports
# before it that did not either, at most twenty of two weeks: the first of them says what went wrong, a canceled one after it does not.
$s = @(Get-CauReport -Last -ErrorAction Stop)
if (-not $s.Count) { @{ present = $false } } else {
  $d = @(Get-CauReport -Last -Detailed -ErrorAction Stop)[0]
  $c = $d.ClusterResult
  $row = @()
  if ("$($c.Status)" -ne 'Succeeded') {
    $last = $s[0].StartTimestamp
    $before = @(Get-CauReport -StartDate $last.AddDays(-14) -ErrorAction Stop | Where-Object { $_.StartTimestamp -lt $last } | Sort-Object -Property StartTimestamp -Descending | Select-Object -First 20)
    $row = @(foreach ($r in $before) { if ("$($r.Status)" -eq 'Succeeded') { break }; $r })
  }
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
    earlier = @($row | Sort-Object -Property StartTimestamp | ForEach-Object {
      $e = @(Get-CauReport -Report $_ -ErrorAction Stop)[0].ClusterResult
      $failed = @($e.NodeResults | Where-Object { $_ -and "$($_.Status)" -eq 'Failed' }) | Select-Object -First 1
      @{
        status = "$($e.Status)"
        started_utc = Utc $e.StartTimestamp
        error_id = $(if ($e.ErrorRecordData) { "$($e.ErrorRecordData.FullyQualifiedErrorId)" })
        node = $(if ($failed) { "$($failed.Node.NodeName)" })
        error = $(if ($failed -and $failed.ErrorRecordData) { "$($failed.ErrorRecordData.ExceptionData)" })
      }
    })
  }
}
