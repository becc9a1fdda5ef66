# The CPE closes mid-session and goes on over a second connection, within 2 s: it stays. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
first: a report connection from 40001
second: a report connection from 40002
third: a report connection from 40003

wake: succeeds
first: opens with c1
first: talks with c1
first: closes with c1, cpe first
expect activation grace c1
wait 1999 ms
second: cpe sends SYN -> c1, diverted-in-grace
second: c1 sends SYN+ACK -> cpe, report-answered
second: talks with c1
second: closes with c1, c1 first
wait 2 s
third: is a session with c1
