# Credentials that were given may be handed on by this machine, to itself only: what runs here with them then reaches the others.
$self = @("$($env:COMPUTERNAME)")
$domain = "$((Get-CimInstance -ClassName Win32_ComputerSystem -ErrorAction Stop).Domain)"
if ($domain) { $self += "$($env:COMPUTERNAME).$domain" }
$null = Enable-WSManCredSSP -Role Server -Force -ErrorAction Stop
$null = Enable-WSManCredSSP -Role Client -DelegateComputer $self -Force -ErrorAction Stop
@{
  client = (Get-Item -LiteralPath WSMan:\localhost\Client\Auth\CredSSP -ErrorAction Stop).Value -eq 'true'
  server = (Get-Item -LiteralPath WSMan:\localhost\Service\Auth\CredSSP -ErrorAction Stop).Value -eq 'true'
}
