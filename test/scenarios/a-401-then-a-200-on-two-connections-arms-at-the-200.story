# Digest on two connections: the first is closed after the 401. [D]
modes: auto response
first: a Connection Request of c1 from 50001
second: a Connection Request of c1 from 50002
report: a report connection from 40001
next: a report connection from 40002

first: opens
first: asks, is answered 401
first: closes, c1 first
expect activation none
second: opens
second: asks, is answered 200
expect activation armed c1
second: closes, c1 first
expect 1 armed-by-response
report: is a session with c1
wait 2001 ms
next: is a session with itms
