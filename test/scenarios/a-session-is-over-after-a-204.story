# However the connection ends: the next one is the ITMS's at once. An empty 200 says the same. [2]
modes: auto response
wake: a Connection Request of c1 from 50001
again: a Connection Request of c1 from 50002
first: a report connection from 40001
second: a report connection from 40002
third: a report connection from 40003
fourth: a report connection from 40004
fifth: a report connection from 40005
more: a Connection Request of c1 from 50003

wake: succeeds
first: opens with c1
first: talks with c1
first: ends with c1
first: closes with c1, cpe first
second: is a session with itms
wait 1 s
again: succeeds
third: opens with c1
third: cpe sends "POST / HTTP/1.1" -> c1
third: c1 sends "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" -> cpe
third: closes with c1, cpe first
fourth: is a session with itms
wait 1 s
more: succeeds
fifth: opens with c1
fifth: cpe sends "POST / HTTP/1.1" -> c1
fifth: c1 sends "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" -> cpe
fifth: closes with c1, cpe first
expect activation none
