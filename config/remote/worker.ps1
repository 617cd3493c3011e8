$ProgressPreference='SilentlyContinue'
function nlF($n,$h){
$j=Microsoft.PowerShell.Utility\ConvertTo-Json -InputObject $h -Depth 8 -Compress -WarningAction SilentlyContinue
while($j -cmatch '[^\x20-\x7e]'){$j=$j.Replace($Matches[0],('\u{0:x4}' -f [int][char]$Matches[0]))}
$i=0
while($j.Length-$i -gt 60000){"#~$n~+"+$j.Substring($i,60000);$i+=60000}
if($i){"#~$n~-"+$j.Substring($i)}else{"#~$n~$j"}
}
function nlR($nlS,$arg){$ErrorActionPreference='Stop';do{Microsoft.PowerShell.Utility\Invoke-Expression $nlS}while($false)}
function nlW{process{
$private:e=$null;$private:ok=$false;$private:k=0;$private:n='?';$private:t=Microsoft.PowerShell.Utility\Get-Date
try{
$private:q=Microsoft.PowerShell.Utility\ConvertFrom-Json $_
$private:n="$($q.n)"
if($null -eq $q.s){nlF $n @{t='hello';v=1;i=$q.i;pid=$PID;ps="$($PSVersionTable.PSVersion)";lang="$($ExecutionContext.SessionState.LanguageMode)";host=$env:COMPUTERNAME;utc=$t.ToUniversalTime().ToString('o');culture="$(Microsoft.PowerShell.Utility\Get-Culture)"};$private:ok=$true}
else{
$private:l=Microsoft.PowerShell.Management\Get-Location
try{
nlR $q.s $q.a *>&1|Microsoft.PowerShell.Core\ForEach-Object{
$private:k++
if($q.m -and $k -gt $q.m){throw 'nl:TooMuchOutput'}
if($null -ne $_ -and "$($_.PSTypeNames[0])" -cmatch '\.(Error|Warning|Verbose|Debug|Information)Record$'){
nlF $n @{t='log';i=$q.i;k=$k;l=$Matches[1];m="$_";id="$($_.FullyQualifiedErrorId)"}
}elseif($null -eq $_ -or ($_ -isnot [string] -and "$($_.PSTypeNames[0])" -cmatch '^(Selected\.|System\.(Object\[|Collections\.|Management\.Automation\.PSCustomObject|Boolean|U?Int|S?Byte|Single|Double|Decimal|DateTime|Guid))')){nlF $n @{t='result';i=$q.i;k=$k;v=$(,$_)}}
else{nlF $n @{t='result';i=$q.i;k=$k;v="$_"}}
}
$private:ok=$true
}catch{$private:e=$_}
Microsoft.PowerShell.Management\Set-Location -LiteralPath $l
}
$private:done=1
}catch{$private:e=$_;$private:done=1}
finally{
$private:x=@{t='end';i=$q.i;ok=$ok;k=$k;ms=[int64]((Microsoft.PowerShell.Utility\Get-Date)-$t).TotalMilliseconds}
if(!$done){$x.gone=$true}
if($e){$x.id="$($e.FullyQualifiedErrorId)";$x.m="$($e.Exception.Message)";$x.cat="$($e.CategoryInfo.Category)";$x.line=$e.InvocationInfo.ScriptLineNumber;$x.col=$e.InvocationInfo.OffsetInLine;$x.src="$($e.InvocationInfo.Line)".Trim()}
nlF $n $x
$private:done=$null
}
}}
'nlF','nlR','nlW'|Microsoft.PowerShell.Core\ForEach-Object{Microsoft.PowerShell.Management\Set-Item "function:$_" -Options ReadOnly}
$input|nlW
exit 0
