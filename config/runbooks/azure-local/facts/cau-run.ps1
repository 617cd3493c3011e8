# On a node, without -ClusterName: no second hop. One element while idle or failed, two while a run is on.
$r = @(Get-CauRun -ErrorAction Stop)
$out = @{ state = "$($r[0])"; run = $null }
if ($r.Count -gt 1) {
  $x = $r[1]
  $out.run = @{
    id = "$($x.RunId)"
    started_utc = Utc $x.RunStartTime
    orchestrator = "$($x.CurrentOrchestrator)"
    cancel_pending = [bool]$x.CancelPending
    working = @($x.NodeStatusNotifications | Where-Object { $_ } | ForEach-Object {
      @{ node = "$($_.Node.NodeName)"; status = "$($_.Status)"; time_utc = Utc $_.Timestamp }
    })
    finished = @($x.NodeResults | Where-Object { $_ } | ForEach-Object {
      @{
        node = "$($_.Node.NodeName)"
        status = "$($_.Status)"
        ok = [int]$_.NumberOfSucceededUpdates
        failed = [int]$_.NumberOfFailedUpdates
        error = $(if ($_.ErrorRecordData) { "$($_.ErrorRecordData.ExceptionData)" })
      }
    })
  }
}
$out
