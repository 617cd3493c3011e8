# Only the rules that did not pass, and how many gave a result: none at all is no pass. Takes minutes; needs network credentials.
$all = @(Test-CauSetup -ClusterName $arg.cluster -ErrorAction Stop | Where-Object { "$($_.State)" -ne 'Started' })
@{
  tested = @($all | ForEach-Object { [int]$_.RuleId } | Sort-Object -Unique).Count
  rules = @($all | Where-Object { "$($_.State)" -ne 'Succeeded' } | ForEach-Object {
    @{
      id = [int]$_.RuleId
      title = "$($_.Title)"
      state = "$($_.State)"
      severity = "$($_.Severity)"
      machines = @($_.FailedMachines | ForEach-Object { "$_" })
    }
  })
}
