# What an upgrade should leave on a node as it was: for every kind, name -> fields. Read before the run and again when the node is
# back. A kind that cannot be read says so and leaves the others alone. Bounded: 600 names a kind.
$read = @{
  adapter = {
    Get-NetAdapter -ErrorAction Stop | ForEach-Object {
      @{
        name = "$($_.Name)"
        description = "$($_.InterfaceDescription)"
        status = "$($_.Status)"
        vlan = "$($_.VlanID)"
        driver = "$($_.DriverVersion)"
        provider = "$($_.DriverProvider)"
      }
    }
  }
  role = { Get-WindowsFeature -ErrorAction Stop | Where-Object { $_.Installed } | ForEach-Object { @{ name = "$($_.Name)" } } }
  service = {
    # Services of a logged-in user have a name of their own at every start. One that a trigger starts may well be stopped.
    Get-CimInstance -ClassName Win32_Service -ErrorAction Stop | Where-Object { $_.Name -notmatch '_[0-9a-f]{4,8}$' } | ForEach-Object {
      $key = "HKLM:\SYSTEM\CurrentControlSet\Services\$($_.Name)\TriggerInfo"
      $always = "$($_.StartMode)" -eq 'Auto' -and -not (Test-Path -LiteralPath $key -ErrorAction Stop)
      @{
        name = "$($_.Name)"
        start = "$($_.StartMode)"
        state = $(if ($always) { "$($_.State)" })
        windows = "$($_.PathName)" -like '*\Windows\System32\*'
      }
    }
  }
  driver = {
    # Several devices of one name are one row.
    $rows = @{}
    foreach ($d in @(Get-CimInstance -ClassName Win32_PnPSignedDriver -ErrorAction Stop | Where-Object { $_.DeviceName })) {
      $n = "$($d.DeviceName)"
      if (-not $rows.ContainsKey($n)) { $rows[$n] = @{ name = $n; version = @(); provider = "$($d.DriverProviderName)" } }
      if ($rows[$n].version -notcontains "$($d.DriverVersion)") { $rows[$n].version = @(@($rows[$n].version) + "$($d.DriverVersion)" | Sort-Object) }
    }
    $rows.Values
  }
  volume = {
    Get-Volume -ErrorAction Stop | Where-Object { "$($_.DriveLetter)" -match '^[A-Z]' } | ForEach-Object {
      @{ name = "$($_.DriveLetter):"; label = "$($_.FileSystemLabel)"; file_system = "$($_.FileSystem)"; size = [int64]$_.Size; health = "$($_.HealthStatus)" }
    }
  }
  firewall = {
    # What reaches a node of a cluster: remote shutdown, remoting, WMI, SSH, SMB, Hyper-V, iSCSI, the cluster itself.
    Get-NetFirewallRule -ErrorAction Stop | Where-Object { $_.Name -match '^(Wininit-Shutdown|WINRM|WMI|OpenSSH|FPS|VIRT|RemoteEventLogSvc|MSiSCSI)|Clus' } | ForEach-Object {
      @{ name = "$($_.Name)"; enabled = "$($_.Enabled)" -eq 'True'; profile = "$($_.Profile)"; action = "$($_.Action)" }
    }
  }
  task = {
    Get-ScheduledTask -ErrorAction Stop | Where-Object { $_.TaskPath -notlike '\Microsoft\*' -and $_.TaskPath -notlike '\nodelift\*' } | ForEach-Object {
      @{ name = "$($_.TaskPath)$($_.TaskName)"; enabled = "$($_.State)" -ne 'Disabled' }
    }
  }
  network = {
    Get-ClusterNetwork -ErrorAction Stop | ForEach-Object { @{ name = "$($_.Name)"; state = "$($_.State)"; role = "$($_.Role)"; address = "$($_.Address)" } }
  }
  registry = {
    @{ name = 'RefsEnableMetadataValidation'; value = RegValue 'HKLM:\SYSTEM\CurrentControlSet\Control\FileSystem' RefsEnableMetadataValidation }
    @{ name = 'SkipSmallLocalAllocations'; value = RegValue 'HKLM:\SYSTEM\CurrentControlSet\Services\Vid\Parameters' SkipSmallLocalAllocations }
    @{ name = 'ExcludeAdaptersByDescription'; value = RegValue 'HKLM:\SYSTEM\CurrentControlSet\Services\ClusSvc\Parameters' ExcludeAdaptersByDescription }
  }
}
$out = @{ unread = @() }
foreach ($kind in @($read.Keys | Sort-Object)) {
  $out[$kind] = @{}
  try {
    foreach ($row in @(& $read[$kind] | Select-Object -First 600)) {
      $name = $row.name
      $row.Remove('name')
      $out[$kind][$name] = $row
    }
  }
  catch { $out[$kind] = @{}; $out.unread += @{ kind = $kind; why = "$($_.FullyQualifiedErrorId)" } }
}
$out
