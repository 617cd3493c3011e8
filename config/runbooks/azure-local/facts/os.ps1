# What the machine says of itself. now_utc is its own clock: boot_utc is compared with that, never with ours.
$k = 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion'
$o = Get-CimInstance -ClassName Win32_OperatingSystem -ErrorAction Stop
$c = Get-CimInstance -ClassName Win32_ComputerSystem -ErrorAction Stop
$d = Get-CimInstance -ClassName Win32_LogicalDisk -Filter "DeviceID='C:'" -ErrorAction Stop
@{
  computer = $env:COMPUTERNAME
  build = "$(RegValue $k CurrentBuildNumber)"
  ubr = RegValue $k UBR
  display_version = RegValue $k DisplayVersion
  edition = RegValue $k EditionID
  caption = "$($o.Caption)"
  product_type = [int]$o.ProductType
  sku = [int64]$o.OperatingSystemSKU
  architecture = "$($o.OSArchitecture)"
  boot_utc = Utc $o.LastBootUpTime
  now_utc = Utc $o.LocalDateTime
  boot_id = RegValue 'HKLM:\SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management\PrefetchParameters' BootId
  domain = "$($c.Domain)"
  in_domain = [bool]$c.PartOfDomain
  manufacturer = "$($c.Manufacturer)"
  model = "$($c.Model)"
  memory = [int64]$c.TotalPhysicalMemory
  system_free = [int64]$d.FreeSpace
  system_size = [int64]$d.Size
  windeploy = @(Get-Process -Name windeploy -ErrorAction Ignore).Count -gt 0
}
