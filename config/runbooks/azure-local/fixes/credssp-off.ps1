# Neither asks. To which computers credentials were delegated only a translated text says: the command that brings it back leaves
# their names open.
function On([string]$Path) { (Get-Item -LiteralPath $Path -ErrorAction Stop).Value -eq 'true' }
$undo = @()
if (On WSMan:\localhost\Client\Auth\CredSSP) {
  Disable-WSManCredSSP -Role Client -ErrorAction Stop
  $undo += 'Enable-WSManCredSSP -Role Client -DelegateComputer <computers> -Force'
}
if (On WSMan:\localhost\Service\Auth\CredSSP) {
  Disable-WSManCredSSP -Role Server -ErrorAction Stop
  $undo += 'Enable-WSManCredSSP -Role Server -Force'
}
@{ client = On WSMan:\localhost\Client\Auth\CredSSP; server = On WSMan:\localhost\Service\Auth\CredSSP; undo = $undo }
