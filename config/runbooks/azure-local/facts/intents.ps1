# Network ATC, where it is in use.
if (-not (Get-Command Get-NetIntentStatus -ErrorAction Ignore)) { @{ available = $false; rows = @() } } else {
  @{
    available = $true
    rows = @(Get-NetIntentStatus -ErrorAction Stop | ForEach-Object {
      @{
        intent = "$($_.IntentName)"
        node = "$($_.Host)"
        type = "$($_.IntentType)"
        configuration = "$($_.ConfigurationStatus)"
        provisioning = "$($_.ProvisioningStatus)"
        error = "$($_.Error)"
      }
    })
  }
}
