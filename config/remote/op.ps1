# Runs script.ps1 beside it exactly once: the wrapper of a detached operation. Started by a scheduled task; everything it
# says is in the files of its folder. No secret is ever in one of them.
param([string]$Dir, [int64]$Epoch)
$ProgressPreference = 'SilentlyContinue'; $ErrorActionPreference = 'Stop'
function Put([string]$Name, $Data) {
    Set-Content -LiteralPath "$Dir\$Name.tmp" -Value (ConvertTo-Json -InputObject $Data -Depth 6 -Compress) -Encoding UTF8
    for ($i = 0; ; $i++) { try { Move-Item -LiteralPath "$Dir\$Name.tmp" -Destination "$Dir\$Name" -Force; return } catch { if ($i -ge 20) { throw }; Start-Sleep -Milliseconds 100 } }
}
function Now { (Get-Date).ToUniversalTime().ToString('o') }
$root = Split-Path -Path $Dir -Parent
# Epoch fence: one empty file an epoch, created and never replaced; the highest name counts.
if (-not (Test-Path -LiteralPath "$root\fence")) { $null = New-Item -ItemType Directory -Path "$root\fence" -Force }
$own = '{0:d12}' -f $Epoch
try { '' | Out-File -FilePath "$root\fence\$own" -NoClobber -Encoding ASCII } catch { if ($_.FullyQualifiedErrorId -notlike 'NoClobber,*') { exit 76 } }
# Claim: create-new, at most one wrapper passes. A folder would not do: two creators can both win one.
try { "$PID" | Out-File -FilePath "$Dir\claim" -NoClobber -Encoding ASCII } catch { if ($_.FullyQualifiedErrorId -like 'NoClobber,*') { exit 75 }; exit 76 }
$top = Get-ChildItem -LiteralPath "$root\fence" -Name | Sort-Object | Select-Object -Last 1
if ($top -gt $own) { Put 'exit.json' @{ code = 77; why = 'fenced'; message = "a later engine, epoch $([int64]$top), owns this run"; ended = Now }; exit 77 }
$me = Get-Process -Id $PID
Put 'run.json' @{ pid = $PID; start = $me.StartTime.ToUniversalTime().ToString('o'); boot = (Get-CimInstance -ClassName Win32_OperatingSystem).LastBootUpTime.ToUniversalTime().ToString('o'); started = Now; epoch = $Epoch; lang = "$($ExecutionContext.SessionState.LanguageMode)" }
$code = 0; $raw = 0; $why = 'ended'; $message = $null
try {
    $arg = ConvertFrom-Json (Get-Content -LiteralPath "$Dir\args.json" -Raw -Encoding UTF8)
    & "$Dir\script.ps1" *>&1 | ForEach-Object {
        Add-Content -LiteralPath "$Dir\out.log" -Value "$_" -Encoding UTF8
        Put 'heartbeat.json' @{ at = Now; pid = $PID }
        if (Test-Path -LiteralPath "$Dir\cancel") { throw 'op:Canceled' }
    }
    if ($LASTEXITCODE) { $raw = $LASTEXITCODE; $code = [int64]$raw -band 4294967295 }
} catch { $code = 1; $raw = 1; $why = "$($_.FullyQualifiedErrorId)"; $message = "$($_.Exception.Message)"; Add-Content -LiteralPath "$Dir\err.log" -Value "$_" -Encoding UTF8 }
Put 'exit.json' @{ code = $code; why = $why; message = $message; ended = Now }
exit $raw
