# Runs a script on another machine by PowerShell remoting. What comes back is text: objects that travel by themselves lose
# their types. Lines that it says are said here as they come. The session stays in this process under a name of its own until
# it breaks; the password goes into a credential and nowhere else.
Set-StrictMode -Version Latest
$there = {
  function nlOne($nlS, $arg) { $ErrorActionPreference = 'Stop'; do { Invoke-Expression $nlS } while ($false) }
  function nlAll($nlQ) {
    $ProgressPreference = 'SilentlyContinue'
    $private:e = $null; $private:ok = $false; $private:k = 0; $private:length = 0; $private:done = $false
    try {
      try {
        $private:a = ConvertFrom-Json -InputObject "$($nlQ.args)"
        nlOne "$($nlQ.script)" ($a.arg) *>&1 | ForEach-Object {
          if ($null -ne $_ -and "$($_.PSTypeNames[0])" -cmatch '\.(Error|Warning|Verbose|Debug|Information)Record$') {
            "$($Matches[1].Substring(0, 1))$_"
          }
          else {
            $private:v = "$_"
            if ($null -eq $_ -or ($_ -isnot [string] -and "$($_.PSTypeNames[0])" -cmatch '^(Selected\.|System\.(Object\[|Collections\.|Management\.Automation\.PSCustomObject|Boolean|U?Int|S?Byte|Single|Double|Decimal|DateTime|Guid))')) { $private:v = $(, $_) }
            $private:j = ConvertTo-Json -InputObject @{ v = $v } -Depth 8 -Compress -WarningAction SilentlyContinue
            $private:k++
            $private:length += $j.Length
            if ($k -gt $nlQ.most -or $length -gt $nlQ.longest) { throw 'nl:TooMuchOutput' }
            "+$j"
          }
        }
        $private:ok = $true
      }
      catch { $private:e = $_ }
      $private:done = $true
    }
    finally {
      $private:x = @{ ok = $ok; k = $k; gone = -not $done }
      if ($e) {
        $x.id = "$($e.FullyQualifiedErrorId)"; $x.m = "$($e.Exception.Message)"
        $x.line = $e.InvocationInfo.ScriptLineNumber; $x.src = "$($e.InvocationInfo.Line)".Trim()
      }
      "=$(ConvertTo-Json -InputObject $x -Depth 3 -Compress)"
    }
  }
  nlAll $args[0]
}
$user = "$($arg.user)"
$name = "nodelift $($arg.to) $user"
$stage = 'open'; $error_id = $null; $message = $null; $end = $null; $results = @(); $session = $null
try {
  foreach ($s in @(Get-PSSession -ErrorAction Stop | Where-Object { "$($_.Name)" -eq $name })) {
    if (-not $session -and "$($s.State)" -eq 'Opened' -and "$($s.Availability)" -eq 'Available') { $session = $s }
    else { Remove-PSSession -Session $s -ErrorAction SilentlyContinue }
  }
  if (-not $session) {
    # A client that is gone is forgotten there after three minutes, not after two hours.
    $o = New-PSSessionOption -OpenTimeout 20000 -MaxConnectionRetryCount 1 -CancelTimeout 10000 -IdleTimeout 180000
    $p = @{ ComputerName = "$($arg.to)"; Name = $name; SessionOption = $o; ErrorAction = 'Stop' }
    if ($user) {
      $secret = ConvertTo-SecureString -String $arg.password -AsPlainText -Force -ErrorAction Stop
      $p['Credential'] = New-Object -TypeName System.Management.Automation.PSCredential -ArgumentList $user, $secret
    }
    $session = New-PSSession @p
  }
  $stage = 'run'
  $q = @{ script = "$($arg.script)"; args = "$($arg.args)"; most = [int64]$arg.most; longest = [int64]$arg.longest }
  $results = @(Invoke-Command -Session $session -ScriptBlock $there -ArgumentList $q -ErrorAction Stop | ForEach-Object {
    $line = "$_"
    $kind = $line.Substring(0, 1)
    # A part of a text is a new text: this one carries the name of the computer along.
    $text = $line.Substring(1)
    if ($kind -ceq '+') { $text }
    elseif ($kind -ceq '=') { $end = $text }
    elseif ($kind -ceq 'E') { Write-Error -Message $text -ErrorAction Continue }
    elseif ($kind -ceq 'W') { Write-Warning -Message $text }
    elseif ($kind -ceq 'I') { Write-Information -MessageData $text }
    else { Write-Verbose -Message $text -Verbose }
  })
}
catch { $error_id = "$($_.FullyQualifiedErrorId)"; $message = "$($_.Exception.Message)" }
# What did not come to its end leaves nothing that could be used again.
if ($session -and $null -eq $end) { Remove-PSSession -Session $session -ErrorAction SilentlyContinue }
@{ to = "$($arg.to)"; stage = $stage; error = $error_id; message = $message; results = $results; end = $end }
