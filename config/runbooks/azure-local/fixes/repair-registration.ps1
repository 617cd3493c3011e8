# Repairs the registration. Safe to repeat, says Microsoft's support; there is nothing to bring back. Register-AzStackHCI signs in by
# itself, for this process only; of what it says only the address and the code are shown.
if ($arg.azure_sign_in -ne 'device-code') { throw 'azure_sign_in is not device-code: set it under [settings] in the inventory' }
if (-not $arg.azure_tenant -or -not $arg.azure_subscription) { throw 'azure_tenant or azure_subscription is empty: put their ids under [settings] in the inventory' }
if (-not (Get-Command Register-AzStackHCI -ErrorAction Ignore)) { throw 'this node needs Az.StackHCI (Install-Module)' }
$look = {
  $a = Get-AzureStackHCI -ErrorAction Stop
  $group = @(Get-ClusterGroup -ErrorAction Stop | Where-Object { "$($_.Name)" -eq 'Cloud Management' } | ForEach-Object { "$($_.State)" })
  @{ registration = "$($a.RegistrationStatus)"; connection = "$($a.ConnectionStatus)"; group = $(if ($group.Count) { $group[0] }) }
}
$before = & $look
$result = ''
$null = Disable-AzContextAutosave -Scope Process -ErrorAction Stop
Register-AzStackHCI -TenantId $arg.azure_tenant -SubscriptionId $arg.azure_subscription -ComputerName $arg.node -RepairRegistration -UseDeviceAuthentication -Confirm:$false -ErrorAction Stop 3>&1 6>&1 | ForEach-Object {
  if ($_.Result) { $result = "$($_.Result)" }
  elseif ("$_" -match '(https://\S+).*\bcode (\w+)') { Write-Warning "waits for a person: enter the code $($Matches[2]) at $($Matches[1])" }
  elseif ("$_" -match 'https://') { Write-Warning "waits for a person: $_" }
}
if ($result -ne 'Success') { throw "the repair of the registration ended with '$result'" }
@{ before = $before; after = & $look; result = $result; undo = @() }
