# Of one byte at a time, with an empty line before it and two spaces in it; an interim answer is skipped. [2]
modes: auto response
wake: a Connection Request of c1 from 50001
again: a Connection Request of c1 from 50002
report: a report connection from 40001

wake: opens
wake: asks
wake: cpe sends "H" -> c1
wake: cpe sends "TTP/1.1  2" -> c1
expect activation none
wake: cpe sends "00 OK" -> c1
expect activation armed c1
wake: closes, c1 first
report: is a session with c1
again: opens
again: asks
again: cpe sends "\r\nHTTP/1.1 100 Continue\r\nX: y\r" -> c1
expect activation none
again: cpe sends "\n\r\nHTTP/1.0 204" -> c1
expect activation armed c1
