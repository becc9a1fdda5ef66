# The 200 passes us, is lost behind us, and comes again after the session: it must not divert the periodic one. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001
periodic: a report connection from 40002

wake: opens
wake: asks
wake: cpe sends "HTTP/1.1 200 OK\r\n\r\n" -> c1
expect activation armed c1
wait 100 ms
report: is a session with c1
wait 2001 ms
wake: cpe sends "HTTP/1.1 200 OK\r\n\r\n" again -> c1
expect activation none
expect 1 answer-repeated
periodic: is a session with itms
