# Adapters with their drivers, to be compared after the upgrade; and what the cluster leaves out by description, such as the
# network of the management controller.
@{
  adapters = @(Get-NetAdapter -ErrorAction Stop | ForEach-Object {
    @{
      name = "$($_.Name)"
      description = "$($_.InterfaceDescription)"
      status = "$($_.Status)"
      driver = "$($_.DriverVersion)"
      provider = "$($_.DriverProvider)"
    }
  })
  exclude = RegValue 'HKLM:\SYSTEM\CurrentControlSet\Services\ClusSvc\Parameters' ExcludeAdaptersByDescription
}
