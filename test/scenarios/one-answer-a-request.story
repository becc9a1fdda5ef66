# A CPE that repeats its 200 one byte further on each time has answered once: only new request data ask again. [2]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001
next: a report connection from 40002

wake: opens
wake: asks, is answered 200
report: is a session with c1
wake: cpe sends "HTTP/1.1 200 OK" -> c1
expect activation none
wake: c1 sends "GET / HTTP/1.1" again -> cpe
wake: cpe sends "HTTP/1.1 200 OK" -> c1
expect activation none
next: is a session with itms
wait 1 s
wake: asks, is answered 200
expect activation armed c1
