# Windows Setup from the folder with the media, up to its first restart: until then the node runs on. It runs as a task of its own and
# ends with Setup's own code, and is told what brings the SSH server back (keep-ssh.ps1); what the codes mean stands in the sequence. setup.exe may end before SetupHost, which does the work.
if ($env:COMPUTERNAME -ne $arg.target_node) { throw 'setup:OtherMachine: this is not the machine that is to be upgraded' }
$setup = Join-Path -Path "$($arg.media_path)" -ChildPath 'setup.exe'
if (-not (Test-Path -LiteralPath $setup -PathType Leaf)) { throw 'setup:NoMedia: the folder with the media has no setup.exe' }
$hooks = Join-Path -Path $env:ProgramData -ChildPath 'nodelift\ssh'
"Windows Setup begins: $setup"
$null | & $setup /auto upgrade /quiet /eula accept /noreboot /compat ignorewarning /dynamicupdate disable /showoobe none /postoobe "$hooks\setupcomplete.cmd" /postrollback "$hooks\setuprollback.cmd" /postrollbackcontext system 2>&1 | ForEach-Object { "$_" }
$rc = $LASTEXITCODE
while (@(Get-Process -Name SetupPrep, SetupHost -ErrorAction Ignore).Count -gt 0) { Start-Sleep -Seconds 5 }
"Windows Setup ended with $rc"
