# Cannot be undone. The version before is noted first: afterwards it tells whether this happened (facts/pool-version.ps1).
$p = @(Get-StoragePool -IsPrimordial $false -ErrorAction Stop)
$before = @($p | ForEach-Object { "$($_.Version)" })
$k = 'HKLM:\SOFTWARE\nodelift'
if (-not (Test-Path -LiteralPath $k)) { $null = New-Item -Path $k -ErrorAction Stop }
Set-ItemProperty -LiteralPath $k -Name PoolVersionBefore -Value ($before -join '|') -Type String -ErrorAction Stop
Set-ItemProperty -LiteralPath $k -Name PoolVersionBeforeBuild -Value "$(RegValue 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion' CurrentBuildNumber)" -Type String -ErrorAction Stop
foreach ($x in $p) { Update-StoragePool -FriendlyName $x.FriendlyName -Confirm:$false -ErrorAction Stop }
@{ before = $before; after = @(Get-StoragePool -IsPrimordial $false -ErrorAction Stop | ForEach-Object { "$($_.Version)" }) }
