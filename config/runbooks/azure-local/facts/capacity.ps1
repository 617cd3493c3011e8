# Load of the cluster's nodes in the last hour, as its performance history has it: percent of the processors, bytes of memory.
@{
  series = @(Get-ClusterPerf -TimeFrame LastHour -ErrorAction Stop |
    Where-Object { "$($_.MetricId)" -match '^ClusterNode[.](Cpu[.]Usage|Memory[.](Usage|Total)),' } |
    ForEach-Object { @{ id = "$($_.MetricId)"; object = "$($_.ObjectDescription)"; value = [double]$_.Value } })
}
