# One name at a time: with a list, one absent name would be an error for all.
$out = @{}
foreach ($n in 'WinRM', 'ClusSvc', 'sshd', 'wuauserv', 'vmms', 'HciCloudManagementSvc') {
  $out[$n] = $null
  try { $s = Get-Service -Name $n -ErrorAction Stop; $out[$n] = @{ status = "$($s.Status)"; start = "$($s.StartType)" } }
  catch { if ($_.FullyQualifiedErrorId -notlike 'NoServiceFoundForGivenName,*') { throw } }
}
$out
