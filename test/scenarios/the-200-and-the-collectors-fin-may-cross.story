# A collector that half-closes after its GET: its FIN comes before the 200. [D]
modes: auto response fin
wake: a Connection Request of c1 from 50001
report: a report connection from 40001

wake: opens
wake: c1 sends FIN with "GET / HTTP/1.1\r\n\r\n" -> cpe, request-finished
[auto response] expect activation none
[fin] expect activation armed c1
wake: cpe sends "HTTP/1.1 200 OK\r\n\r\n" -> c1
expect activation armed c1
wake: cpe sends FIN -> c1
report: is a session with c1
