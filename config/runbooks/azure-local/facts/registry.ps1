# Step 0 of the document. null = the value or its key is absent; the key without the value is a state of its own.
$f = 'HKLM:\SYSTEM\CurrentControlSet\Control\FileSystem'
$v = 'HKLM:\SYSTEM\CurrentControlSet\Services\Vid\Parameters'
@{
  refs_metadata_validation = RegValue $f RefsEnableMetadataValidation
  vid_key = Test-Path -LiteralPath $v
  skip_small_local = RegValue $v SkipSmallLocalAllocations
}
