# Contended: the second one's 2xx is counted and changes nothing; it has to ask again. [D]
modes: auto response
first: a Connection Request of c1 from 50001
second: a Connection Request of c2 from 50002
again: a Connection Request of c2 from 50003
report: a report connection from 40001
next: a report connection from 40002

first: opens
second: opens
first: asks, is answered 200
second: asks, is answered 200
expect 1 contended
expect activation armed c1
first: closes, c1 first
second: closes, c2 first
report: is a session with c1
wait 2001 ms
again: succeeds
next: is a session with c2
