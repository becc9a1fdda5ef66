# Some devices open the session a moment before they answer: the woken session is the ITMS's then, and the 200 must not
# divert the next one. [2]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001
next: a report connection from 40002

wake: opens
wake: asks
wait 100 ms
report: cpe sends SYN -> itms, to-itms
wait 100 ms
wake: cpe sends "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" -> c1
expect activation none
expect 1 session-first
next: is a session with itms
