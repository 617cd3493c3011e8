# Rows turns "found nothing" into an empty list and lets every other error through. operational is a list: in maintenance
# it has two members. On a node whose cluster service is down everything is empty: that is no answer about the cluster.
function Rows([scriptblock]$Read) {
  try { @(& $Read) } catch { if ($_.FullyQualifiedErrorId -notlike 'CmdletizationQuery_NotFound*') { throw } }
}
@{
  jobs = @(Rows { Get-StorageJob -ErrorAction Stop } | ForEach-Object {
    @{
      name = "$($_.Name)"
      state = "$($_.JobState)"
      percent = [int]$_.PercentComplete
      done = [int64]$_.BytesProcessed
      total = [int64]$_.BytesTotal
      background = [bool]$_.IsBackgroundTask
    }
  })
  virtual_disks = @(Rows { Get-VirtualDisk -ErrorAction Stop } | ForEach-Object {
    @{
      name = "$($_.FriendlyName)"
      health = "$($_.HealthStatus)"
      operational = @($_.OperationalStatus | ForEach-Object { "$_" })
      detached = "$($_.DetachedReason)"
    }
  })
  pools = @(Rows { Get-StoragePool -IsPrimordial $false -ErrorAction Stop } | ForEach-Object {
    @{
      name = "$($_.FriendlyName)"
      health = "$($_.HealthStatus)"
      operational = @($_.OperationalStatus | ForEach-Object { "$_" })
      read_only = [bool]$_.IsReadOnly
      version = "$($_.Version)"
      size = [int64]$_.Size
      allocated = [int64]$_.AllocatedSize
    }
  })
  bad_disks = @(Rows { Get-PhysicalDisk -ErrorAction Stop } | Where-Object {
    "$($_.HealthStatus)" -ne 'Healthy' -or (@($_.OperationalStatus | ForEach-Object { "$_" }) -join ',') -ne 'OK'
  } | ForEach-Object {
    @{
      name = "$($_.FriendlyName)"
      serial = "$($_.SerialNumber)"
      health = "$($_.HealthStatus)"
      operational = @($_.OperationalStatus | ForEach-Object { "$_" })
      usage = "$($_.Usage)"
    }
  })
  disk_count = @(Rows { Get-PhysicalDisk -ErrorAction Stop }).Count
  units = @(Rows { Get-StorageFaultDomain -Type StorageScaleUnit -ErrorAction Stop } | ForEach-Object {
    @{ name = "$($_.FriendlyName)"; health = "$($_.HealthStatus)"; operational = @($_.OperationalStatus | ForEach-Object { "$_" }) }
  })
}
