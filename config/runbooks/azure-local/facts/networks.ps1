# Cluster networks.
@{
  networks = @(Get-ClusterNetwork -ErrorAction Stop | ForEach-Object {
    @{ name = "$($_.Name)"; state = "$($_.State)"; role = "$($_.Role)"; address = "$($_.Address)" }
  })
}
