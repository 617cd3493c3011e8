# Cluster shared volumes, and how each node reaches them.
@{
  csvs = @(Get-ClusterSharedVolume -ErrorAction Stop | ForEach-Object {
    @{ name = "$($_.Name)"; state = "$($_.State)"; owner = "$($_.OwnerNode)"; fault = "$(@($_.SharedVolumeInfo)[0].FaultState)" }
  })
  states = @(Get-ClusterSharedVolumeState -ErrorAction Stop | ForEach-Object {
    @{ name = "$($_.Name)"; volume = "$($_.VolumeFriendlyName)"; node = "$($_.Node)"; state = "$($_.StateInfo)"; reason = "$($_.FileSystemRedirectedIOReason)" }
  })
}
