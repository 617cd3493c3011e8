# The WSMan: drive has the two flags as text; Get-WSManCredSSP gives translated sentences.
@{
  client = (Get-Item -LiteralPath WSMan:\localhost\Client\Auth\CredSSP -ErrorAction Stop).Value -eq 'true'
  server = (Get-Item -LiteralPath WSMan:\localhost\Service\Auth\CredSSP -ErrorAction Stop).Value -eq 'true'
}
