# The newest report of Test-Cluster on this node. Environment Checker, Microsoft's own tool, reads it in these places: the result
# is a sum of bits (1 completed, 4 failures, 8 warnings), each test is a Channel with Title and ResultDescription. The words are
# translated, the bits are not. Whatever else the file is, result stays null and a person reads it.
$f = @(Get-ChildItem -Path "$env:SystemRoot\Cluster\Reports\Validation*.xml" -ErrorAction SilentlyContinue | Sort-Object LastWriteTime)
$out = @{ file = $null; written_utc = $null; size = $null; result = $null; rows = @(); unread = $null }
if ($f.Count) {
  $out.file = "$($f[-1].FullName)"
  $out.written_utc = Utc $f[-1].LastWriteTime
  $out.size = [int64]$f[-1].Length
  try {
    foreach ($v in @(Select-Xml -LiteralPath $out.file -XPath "/*/*[local-name()='Channel']/*[local-name()='ValidationResult']" -ErrorAction Stop)) {
      $text = "$($v.Node.InnerText)".Trim()
      if ($text -match '^[0-9]+$') { $out.result = [int64]$text }
    }
    $out.rows = @(Select-Xml -LiteralPath $out.file -XPath "//*[local-name()='Channel'][*[local-name()='ResultDescription']]" -ErrorAction Stop | ForEach-Object {
      $row = @{ test = ''; result = '' }
      foreach ($c in @($_.Node.ChildNodes)) {
        if ($c.LocalName -eq 'Title') { $row.test = "$($c.InnerText)".Trim() }
        if ($c.LocalName -eq 'ResultDescription') { $row.result = "$($c.InnerText)".Trim() }
      }
      $row
    })
  }
  catch { $out.result = $null; $out.unread = $_.FullyQualifiedErrorId }
}
$out
