# The CPE closes and comes back with credentials; TR-069's own retry begins at 5 s. [2]
modes: auto response
wake: a Connection Request of c1 from 50001
first: a report connection from 40001
second: a report connection from 40002
third: a report connection from 40003

wake: succeeds
first: opens with c1
first: cpe sends "POST / HTTP/1.1" -> c1
first: c1 sends "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n" -> cpe
first: cpe sends RST -> c1
wait 4 s
second: opens with c1
second: cpe sends "POST / HTTP/1.1" -> c1
second: c1 sends "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n" -> cpe
second: cpe sends FIN -> c1
wait 4001 ms
third: is a session with itms
