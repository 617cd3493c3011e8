# Step 0 of the document. Never -Force on New-Item: on a key that exists it drops every value. did says what was missing;
# when something was, the time is noted, because the values work after the next restart only.
$f = 'HKLM:\SYSTEM\CurrentControlSet\Control\FileSystem'
$v = 'HKLM:\SYSTEM\CurrentControlSet\Services\Vid\Parameters'
function Back([string]$Path, [string]$Name, $Before) {
  if ($null -eq $Before) { "Remove-ItemProperty -LiteralPath '$Path' -Name $Name" } else { "Set-ItemProperty -LiteralPath '$Path' -Name $Name -Value $Before -Type DWord" }
}
$did = @()
$undo = @()
if (-not (Test-Path -LiteralPath $v)) {
  try { $null = New-Item -Path $v -ErrorAction Stop; $did += 'key'; $undo = @("Remove-Item -LiteralPath '$v'") + $undo }
  catch { if ("$($_.CategoryInfo.Category)" -ne 'ResourceExists') { throw } }
}
$before = RegValue $f RefsEnableMetadataValidation
if ($before -ne 0) {
  Set-ItemProperty -LiteralPath $f -Name RefsEnableMetadataValidation -Value 0 -Type DWord -ErrorAction Stop
  $did += 'refs'
  $undo = @(Back $f RefsEnableMetadataValidation $before) + $undo
}
$before = RegValue $v SkipSmallLocalAllocations
if ($before -ne 0) {
  Set-ItemProperty -LiteralPath $v -Name SkipSmallLocalAllocations -Value 0 -Type DWord -ErrorAction Stop
  $did += 'skip'
  $undo = @(Back $v SkipSmallLocalAllocations $before) + $undo
}
if ($did.Count) {
  $n = 'HKLM:\SOFTWARE\nodelift'
  if (-not (Test-Path -LiteralPath $n)) { $null = New-Item -Path $n -ErrorAction Stop }
  $now = Utc (Get-CimInstance -ClassName Win32_OperatingSystem -ErrorAction Stop).LocalDateTime
  Set-ItemProperty -LiteralPath $n -Name RegistryChangedUtc -Value $now -Type String -ErrorAction Stop
}
@{
  did = $did
  refs_metadata_validation = RegValue $f RefsEnableMetadataValidation
  vid_key = Test-Path -LiteralPath $v
  skip_small_local = RegValue $v SkipSmallLocalAllocations
  undo = $undo
}
