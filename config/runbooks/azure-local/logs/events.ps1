# New events: Cluster-Aware Updating, the cluster, and who restarted the machine and when. after holds the last record
# number of each log; without it the last few are shown. A log that is not there, or holds nothing new, is an answer.
$logs = @{
  cau = 'Microsoft-Windows-ClusterAwareUpdating/Admin'
  system = 'System'
}
$which = @{
  cau = 'EventRecordID > {0}'
  system = "(Provider[@Name='Microsoft-Windows-FailoverClustering'] or (Provider[@Name='User32'] and EventID=1074) or (Provider[@Name='Microsoft-Windows-Kernel-General'] and (EventID=12 or EventID=13))) and EventRecordID > {0}"
}
$rows = @()
$next = @{ cau = $null; system = $null }
foreach ($k in 'cau', 'system') {
  $from = [int64]0
  $first = $true
  if ($null -ne $arg.after -and $null -ne $arg.after.$k) { $from = [int64]$arg.after.$k; $first = $false }
  try {
    # Record numbers start again when a log is cleared, as an upgrade may do.
    $newest = [int64](Get-WinEvent -LogName $logs[$k] -MaxEvents 1 -ErrorAction Stop).RecordId
    if ($newest -lt $from) { $from = [int64]0 }
    $next[$k] = $newest
    if ($newest -eq $from) { continue }
    $query = "*[System[$($which[$k] -f $from)]]"
    if ($first) { $found = @(Get-WinEvent -LogName $logs[$k] -FilterXPath $query -MaxEvents 20 -ErrorAction Stop) }
    else { $found = @(Get-WinEvent -LogName $logs[$k] -FilterXPath $query -Oldest -MaxEvents 200 -ErrorAction Stop) }
    if (-not $first -and $found.Count -eq 200) { $next[$k] = [int64]$found[-1].RecordId }
    $rows += $found
  }
  catch {
    if ($_.FullyQualifiedErrorId -notlike 'NoMatchingEventsFound,*' -and $_.FullyQualifiedErrorId -notlike 'NoMatchingLogsFound,*') { throw }
    if ($null -eq $next[$k] -and -not $first) { $next[$k] = $from }
  }
}
@{
  lines = @($rows | Sort-Object TimeCreated, RecordId | ForEach-Object {
    $from = "$($_.ProviderName)" -replace '^Microsoft-Windows-', ''
    $said = @("$($_.Message)" -split '\r?\n')[0]
    $level = [int]$_.Level
    if ($level -eq 0) { $level = 4 }
    @{ at = Utc $_.TimeCreated; level = $level; text = "$from $($_.Id): $said" }
  })
  next = $next
}
