# Only for a node that is connected and has not said so for long: another state is not mended by it. There is nothing to bring back.
if ("$((Get-AzureStackHCI -ErrorAction Stop).ConnectionStatus)" -ne 'Connected') { throw 'the node is not connected with Azure: synchronising does not mend that' }
$null = Sync-AzureStackHCI -ErrorAction Stop
@{ last_connected_utc = Utc (Get-AzureStackHCI -ErrorAction Stop).LastConnected; undo = @() }
