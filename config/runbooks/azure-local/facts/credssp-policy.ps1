# Group Policy over CredSSP: 0 forbids it, 1 sets it, null leaves it to the machine.
@{
  service = RegValue 'HKLM:\SOFTWARE\Policies\Microsoft\Windows\WinRM\Service' AllowCredSSP
  client = RegValue 'HKLM:\SOFTWARE\Policies\Microsoft\Windows\WinRM\Client' AllowCredSSP
}
