# Reads a piece of a file: its bytes as numbers. ConstrainedLanguage has no base64 and no streams: there everything before the
# piece is read too, so only the first 8 MB of a file can be had.
Set-StrictMode -Version Latest
$file = Get-Item -LiteralPath $arg.path -Force -ErrorAction Stop
$size = [int64]$file.Length
$offset = [int64]$arg.offset
$count = [int64]$arg.max
if ($offset + $count -gt $size) { $count = $size - $offset }
$bytes = @()
if ($count -gt 0) {
  if ("$($ExecutionContext.SessionState.LanguageMode)" -eq 'FullLanguage') {
    $buffer = New-Object -TypeName 'byte[]' -ArgumentList ([int]$count)
    # Whoever writes, moves or deletes it meanwhile is not in the way.
    $stream = $file.Open('Open', 'Read', 'ReadWrite, Delete')
    try {
      $null = $stream.Seek($offset, 'Begin')
      $count = $stream.Read($buffer, 0, [int]$count)
    }
    finally { $stream.Dispose() }
    if ($count -eq $buffer.Length) { $bytes = $buffer } elseif ($count -gt 0) { $bytes = $buffer[0..($count - 1)] }
  }
  elseif ($offset + $count -gt 8388608) { throw 'read:TooFar: under ConstrainedLanguage only the first 8 MB of a file can be read by remoting' }
  else {
    $p = @{ LiteralPath = $arg.path; TotalCount = $offset + $count; ReadCount = 4096; ErrorAction = 'Stop' }
    if ($PSVersionTable.PSVersion.Major -ge 6) { $p['AsByteStream'] = $true } else { $p['Encoding'] = 'Byte' }
    $end = 0
    $bytes = @(Get-Content @p | ForEach-Object {
      $block = @($_)
      $start = $end
      $end += $block.Count
      if ($start -ge $offset) { $block } elseif ($end -gt $offset) { $block[($offset - $start)..($block.Count - 1)] }
    })
  }
}
@{ size = $size; bytes = ($bytes -join ' ') }
