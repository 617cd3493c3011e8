# What must not be there: the solution itself, AKS, and third-party updaters (a person looks at the list).
$out = @{
  stamp_cmdlet = $null -ne (Get-Command Get-StampInformation -ErrorAction Ignore)
  stamp = $false
  aks_hci = @(Get-Module -ListAvailable -Name AksHci -ErrorAction Ignore).Count -gt 0
  moc = @()
  uninstall = @()
}
if ($out.stamp_cmdlet) { $out.stamp = @(Get-StampInformation -ErrorAction Stop).Count -gt 0 }
$out.moc = @(Get-Service -Name wssdagent, MocHostAgent, wssdcloudagent -ErrorAction SilentlyContinue | ForEach-Object { "$($_.Name)" })
$out.uninstall = @(Get-ChildItem -Path HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall -ErrorAction Stop |
  ForEach-Object { RegValue $_.PSPath DisplayName } | Where-Object { $_ } | Sort-Object)
$out
