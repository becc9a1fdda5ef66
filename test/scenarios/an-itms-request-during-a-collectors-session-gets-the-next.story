# The CPE says 200 in its session, or comes back at once; no grace of the collector's takes that session. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
own: a Connection Request of itms from 50002
report: a report connection from 40001
next: a report connection from 40002

wake: succeeds
report: opens with c1
report: talks with c1
own: succeeds
expect 1 ended-by-itms
report: talks with c1
report: closes with c1, c1 first
wait 50 ms
next: is a session with itms
