# Says to Azure what this cluster is now: the portal shows it after some hours.
if ("$((Get-AzureStackHCI -ErrorAction Stop).ConnectionStatus)" -ne 'Connected') { throw 'the node is not connected with Azure: synchronising does not mend that' }
$null = Sync-AzureStackHCI -ErrorAction Stop
$k = 'HKLM:\SOFTWARE\nodelift'
if (-not (Test-Path -LiteralPath $k)) { $null = New-Item -Path $k -ErrorAction Stop }
Set-ItemProperty -LiteralPath $k -Name SynchronisedBuild -Value "$(RegValue 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion' CurrentBuildNumber)" -Type String -ErrorAction Stop
@{ last_connected_utc = Utc (Get-AzureStackHCI -ErrorAction Stop).LastConnected }
