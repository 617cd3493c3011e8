# Only the machines of this node.
@{
  vms = @(Get-VM -ErrorAction Stop | ForEach-Object {
    @{
      name = "$($_.Name)"
      state = "$($_.State)"
      version = "$($_.Version)"
      clustered = [bool]$_.IsClustered
      dynamic_memory = [bool]$_.DynamicMemoryEnabled
    }
  })
  default_version = "$((Get-VMHostSupportedVersion -Default -ErrorAction Stop).Version)"
}
