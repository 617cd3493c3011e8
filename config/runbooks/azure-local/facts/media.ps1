# The folder that the setting names; where it names none nothing is looked for. What counts is compared between nodes: files,
# bytes, edition and version of the images. Counting a whole folder takes seconds.
$path = "$($arg.media_path)"
$out = @{ path = $path; folder = $false; setup = $false; wim_size = $null; files = $null; bytes = $null; images = @() }
if ($path) {
  $out.folder = Test-Path -LiteralPath $path -PathType Container
  $out.setup = Test-Path -LiteralPath (Join-Path -Path $path -ChildPath 'setup.exe') -PathType Leaf
  $wim = Join-Path -Path $path -ChildPath 'sources\install.wim'
  if (Test-Path -LiteralPath $wim -PathType Leaf) {
    $out.wim_size = [int64](Get-Item -LiteralPath $wim -ErrorAction Stop).Length
    $out.images = @(Get-WindowsImage -ImagePath $wim -ErrorAction Stop | ForEach-Object {
      $i = Get-WindowsImage -ImagePath $wim -Index $_.ImageIndex -ErrorAction Stop
      @{ index = [int]$i.ImageIndex; name = "$($i.ImageName)"; version = "$($i.Version)"; edition = "$($i.EditionId)"; languages = @($i.Languages | ForEach-Object { "$_" }) }
    })
  }
  if ($out.folder) {
    $m = Get-ChildItem -LiteralPath $path -Recurse -File -ErrorAction Stop | Measure-Object -Property Length -Sum
    $out.files = [int]$m.Count
    $out.bytes = [int64]$m.Sum
  }
}
$out
