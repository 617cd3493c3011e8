# Cannot be undone: the machine can no longer run on an older host. Off, on its owner, after the functional level.
$was = "$((Get-VM -Name $arg.item -ErrorAction Stop).Version)"
Update-VMVersion -Name $arg.item -Force -ErrorAction Stop -WarningAction SilentlyContinue
@{ before = $was; after = "$((Get-VM -Name $arg.item -ErrorAction Stop).Version)" }
