# Who is a local administrator: by the group's SID, its name is translated. The account of the updating role is the computer
# account with the name of its group.
@{ members = @(Get-LocalGroupMember -SID S-1-5-32-544 -ErrorAction Stop | ForEach-Object { "$($_.Name)" }) }
