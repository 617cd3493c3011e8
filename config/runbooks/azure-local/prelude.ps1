Set-StrictMode -Version Latest
# A value of the registry, or nothing where the value or its key is absent. Whatever else goes wrong is thrown.
function RegValue([string]$Path, [string]$Name) {
  try { (Get-ItemProperty -LiteralPath $Path -Name $Name -ErrorAction Stop).$Name }
  catch { if ($_.FullyQualifiedErrorId -notlike 'PathNotFound,*' -and $_.FullyQualifiedErrorId -notlike 'System.Management.Automation.PSArgumentException,*') { throw } }
}
# A time as text that means the same everywhere; nothing stays nothing.
function Utc($Time) { if ($null -ne $Time) { $Time.ToUniversalTime().ToString('o') } }
