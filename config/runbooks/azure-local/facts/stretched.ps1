# Sites and Storage Replica: a stretched cluster takes another way.
$out = @{
  sites = @(Get-ClusterFaultDomain -Type Site -ErrorAction Stop | ForEach-Object { "$($_.Name)" })
  replication = $null
  sr_groups = @()
}
if (Get-Command Get-SRGroup -ErrorAction Ignore) {
  $out.replication = $true
  $out.sr_groups = @(Get-SRGroup -ErrorAction Stop | ForEach-Object {
    @{ name = "$($_.Name)"; states = @($_.Replicas | ForEach-Object { "$($_.ReplicationStatus)" }); mode = "$($_.ReplicationMode)" }
  })
} else { $out.replication = $false }
$out
