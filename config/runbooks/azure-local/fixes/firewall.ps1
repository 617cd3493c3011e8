# Without these two rules the restart phase of the run fails.
Set-NetFirewallRule -Name 'Wininit-Shutdown-In-Rule-TCP-RPC', 'Wininit-Shutdown-In-Rule-TCP-RPC-EPMapper' -Profile Domain -Enabled True -ErrorAction Stop
@{
  enabled = @(Get-NetFirewallRule -Name 'Wininit-Shutdown-In-Rule-TCP-RPC', 'Wininit-Shutdown-In-Rule-TCP-RPC-EPMapper' -ErrorAction Stop |
    ForEach-Object { "$($_.Enabled)" -eq 'True' })
}
