# A 500, or nothing said at all: the next session is the ITMS's. [2]
modes: auto response
wake: a Connection Request of c1 from 50001
again: a Connection Request of c1 from 50002
first: a report connection from 40001
second: a report connection from 40002
third: a report connection from 40003

wake: succeeds
first: opens with c1
first: cpe sends "POST / HTTP/1.1" -> c1
first: c1 sends "HTTP/1.1 500 Internal Server Error\r\n\r\n" -> cpe
first: closes with c1, c1 first
second: is a session with itms
wait 1 s
again: succeeds
third: opens with c1
third: closes with c1, cpe first
expect activation none
