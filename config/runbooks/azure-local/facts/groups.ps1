# Roles, and resources that are neither online nor offline.
@{
  groups = @(Get-ClusterGroup -ErrorAction Stop | ForEach-Object {
    @{ name = "$($_.Name)"; type = "$($_.GroupType)"; state = "$($_.State)"; owner = "$($_.OwnerNode)"; core = [bool]$_.IsCoreGroup }
  })
  bad_resources = @(Get-ClusterResource -ErrorAction Stop | Where-Object { "$($_.State)" -ne 'Online' -and "$($_.State)" -ne 'Offline' } | ForEach-Object {
    @{ name = "$($_.Name)"; type = "$($_.ResourceType)"; state = "$($_.State)"; group = "$($_.OwnerGroup)" }
  })
}
