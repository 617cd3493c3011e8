# Validates the cluster as the document asks, without the tests that would take storage offline. Read is the newest report, as in
# facts/validation-report.ps1: the result is a sum of bits, 4 of them failures. Noted only where nothing failed.
$since = Get-Date
$f = Test-Cluster -Include Inventory, Network, 'System Configuration', 'Cluster Configuration' -WarningAction SilentlyContinue -ErrorAction Stop
$x = @(Get-ChildItem -Path "$env:SystemRoot\Cluster\Reports\Validation*.xml" -ErrorAction SilentlyContinue | Where-Object { $_.LastWriteTime -ge $since.AddSeconds(-5) } | Sort-Object LastWriteTime)
if (-not $x.Count) { throw "Test-Cluster ended without a report that can be read: look at $($f.FullName)" }
$result = $null
foreach ($v in @(Select-Xml -LiteralPath $x[-1].FullName -XPath "/*/*[local-name()='Channel']/*[local-name()='ValidationResult']" -ErrorAction Stop)) {
  $text = "$($v.Node.InnerText)".Trim()
  if ($text -match '^[0-9]+$') { $result = [int64]$text }
}
if ($null -eq $result) { throw "the report of Test-Cluster does not say how it ended: look at $($f.FullName)" }
if ($result -band 4) { throw "Test-Cluster found failures: they stand in $($f.FullName)" }
$k = 'HKLM:\SOFTWARE\nodelift'
if (-not (Test-Path -LiteralPath $k)) { $null = New-Item -Path $k -ErrorAction Stop }
Set-ItemProperty -LiteralPath $k -Name ValidatedBuild -Value "$(RegValue 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion' CurrentBuildNumber)" -Type String -ErrorAction Stop
@{ report = "$($f.FullName)"; warnings = ($result -band 8) -ne 0 }
