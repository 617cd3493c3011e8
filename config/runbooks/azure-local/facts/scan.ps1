# A node that cannot be scanned must not hide the others: errors are collected, access denied still throws. When no node
# needs anything there are no rows at all.
$bad = @()
$n = @(Invoke-CauScan -ClusterName $arg.cluster -CauPluginName Microsoft.RollingUpgradePlugin -CauPluginArguments @{ WuConnected = 'true' } -ErrorAction SilentlyContinue -ErrorVariable bad)
@{
  nodes = @($n | ForEach-Object {
    @{
      node = "$($_.NodeName)"
      updates = @($_.UpgradeInstallProperties.WuUpdatesInfo | Where-Object { $_ } | ForEach-Object { @{ id = "$($_.UpdateId)"; title = "$($_.UpdateTitle)" } })
    }
  })
  errors = @($bad | ForEach-Object { @{ node = "$($_.TargetObject)"; id = "$($_.FullyQualifiedErrorId)"; message = "$($_.Exception.Message)" } })
}
