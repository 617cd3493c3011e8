# The registration as this node sees it.
if (-not (Get-Command Get-AzureStackHCI -ErrorAction Ignore)) { @{ available = $false } } else {
  $a = Get-AzureStackHCI -ErrorAction Stop
  @{
    available = $true
    cluster_status = "$($a.ClusterStatus)"
    registration = "$($a.RegistrationStatus)"
    connection = "$($a.ConnectionStatus)"
    last_connected_utc = Utc $a.LastConnected
    next_sync_utc = Utc $a.NextSync
    resource = "$($a.AzureResourceName)"
    region = "$($a.Region)"
  }
}
