# The cluster's resource in Azure. Somebody signs in only where the setting says so and nobody is signed in in this process: the context
# ends with it, and nothing is saved. Why it cannot be told is part of the answer, because its checks judge other facts too.
$known = $false; $why = ''; $identity = $null; $name = $null
try {
  if ($arg.azure_sign_in -notin 'none', 'device-code') { throw "azure_sign_in is '$($arg.azure_sign_in)': it is none or device-code" }
  if ($arg.azure_sign_in -eq 'device-code') {
    if (-not $arg.azure_tenant -or -not $arg.azure_subscription) { throw 'azure_tenant or azure_subscription is empty: put their ids under [settings] in the inventory' }
    $context = Get-AzContext -ErrorAction Stop
    if ("$($context.Subscription.Id)" -ne $arg.azure_subscription) {
      # lint: allow read-changes of this process only: without it the sign-in would be saved on the node
      $null = Disable-AzContextAutosave -Scope Process -ErrorAction Stop
      # The address and the code come as a warning. Nothing else of it is said: not what it puts out, which is the account.
      Connect-AzAccount -Tenant $arg.azure_tenant -Subscription $arg.azure_subscription -UseDeviceAuthentication -Scope Process -ErrorAction Stop 3>&1 6>&1 | ForEach-Object {
        if ("$_" -match '(https://\S+).*\bcode (\w+)') { Write-Warning "waits for a person: enter the code $($Matches[2]) at $($Matches[1])" }
        elseif ("$_" -match 'https://') { Write-Warning "waits for a person: $_" }
      }
    }
    $name = "$((Get-AzureStackHCI -ErrorAction Stop).AzureResourceName)"
    $found = @(Get-AzResource -Name $name -ResourceType 'Microsoft.AzureStackHCI/clusters' -ExpandProperties -ErrorAction Stop)
    if ($found.Count -ne 1) { throw "$($found.Count) resources named '$name' in subscription $($arg.azure_subscription)" }
    if ($found[0].Identity) { $identity = "$($found[0].Identity.Type)" }
    $known = $true
  }
} catch {
  $why = "Azure was not asked: $_"
  if ("$($_.FullyQualifiedErrorId)" -like 'CommandNotFoundException*') { $why = 'Azure was not asked: this node needs Az.Accounts and Az.Resources (Install-Module)' }
  if ($why.Length -gt 300) { $why = $why.Substring(0, 300) }
}
@{ known = $known; why = $why; identity = $identity; resource = $name }
