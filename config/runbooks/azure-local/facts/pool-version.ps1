# The version of the pool now, and the one that the step noted before it changed anything, with the build it ran on: a
# note of an earlier upgrade says nothing about this one. Versions are compared with each other, never with a text of ours.
$k = 'HKLM:\SOFTWARE\nodelift'
@{
  version = @(Get-StoragePool -IsPrimordial $false -ErrorAction Stop | ForEach-Object { "$($_.Version)" }) -join '|'
  before = RegValue $k PoolVersionBefore
  before_build = RegValue $k PoolVersionBeforeBuild
  build = "$(RegValue 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion' CurrentBuildNumber)"
}
