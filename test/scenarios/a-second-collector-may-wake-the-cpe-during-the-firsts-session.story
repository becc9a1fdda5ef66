# Its session comes next; the first one's connection is untouched. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
other: a Connection Request of c2 from 50002
report: a report connection from 40001
next: a report connection from 40002
after: a report connection from 40003

wake: succeeds
report: opens with c1
report: talks with c1
other: succeeds
expect activation armed c2
report: talks with c1
report: closes with c1, c1 first
expect activation armed c2
next: is a session with c2
wait 2001 ms
after: is a session with itms
