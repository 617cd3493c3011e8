# Needs network credentials by design: it is the probe for them. Never throws.
$out = @{ dns = @(); dns_error = $null; cluster = $null; cluster_error = $null; nodes = @(); cim = $null; cim_error = $null; member = $null }
try { $out.dns = @(Resolve-DnsName -Name $arg.cluster -ErrorAction Stop | ForEach-Object { "$($_.IPAddress)" }) } catch { $out.dns_error = $_.FullyQualifiedErrorId }
try {
  $out.cluster = "$((Get-Cluster -Name $arg.cluster -ErrorAction Stop).Name)"
  $out.nodes = @(Get-ClusterNode -Cluster $arg.cluster -ErrorAction Stop | ForEach-Object { "$($_.Name)" })
} catch { $out.cluster_error = $_.FullyQualifiedErrorId }
if ($out.nodes.Count) {
  $out.member = $out.nodes -contains $env:COMPUTERNAME
  try {
    $out.cim = "$((Get-CimInstance -ClassName Win32_OperatingSystem -ComputerName @($out.nodes | Where-Object { $_ -ne $env:COMPUTERNAME })[0] -ErrorAction Stop).BuildNumber)"
  } catch { $out.cim_error = $_.FullyQualifiedErrorId }
}
$out
