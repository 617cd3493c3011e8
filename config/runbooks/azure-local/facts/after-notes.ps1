# What the steps after the upgrade noted on this node, each with the build they were done on: a note of an earlier upgrade says nothing
# about this one.
$k = 'HKLM:\SOFTWARE\nodelift'
@{
  build = "$(RegValue 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion' CurrentBuildNumber)"
  moved = RegValue $k MoveTestBuild
  validated = RegValue $k ValidatedBuild
  synchronised = RegValue $k SynchronisedBuild
}
