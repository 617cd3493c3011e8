# Only the rules that did not pass. Takes minutes; needs network credentials.
@{
  rules = @(Test-CauSetup -ClusterName $arg.cluster -ErrorAction Stop | ForEach-Object {
    @{
      id = [int]$_.RuleId
      title = "$($_.Title)"
      state = "$($_.State)"
      severity = "$($_.Severity)"
      machines = @($_.FailedMachines | ForEach-Object { "$_" })
    }
  } | Where-Object { $_.state -ne 'Started' -and $_.state -ne 'Succeeded' })
}
