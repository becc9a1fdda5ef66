# A kernel that acknowledges each request before its server answers: the last answer of many still says that the session is over. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001
next: a report connection from 40002

wake: succeeds
report: opens with c1
report: cpe sends "Inform" -> c1
report: c1 sends ACK -> cpe
report: c1 sends "HTTP/1.1 200 OK\r\n\r\nInformResponse" -> cpe
report: cpe sends "1" -> c1
report: c1 sends ACK -> cpe
report: c1 sends "HTTP/1.1 200 OK\r\n\r\nRPC" -> cpe
report: cpe sends "2" -> c1
report: c1 sends ACK -> cpe
report: c1 sends "HTTP/1.1 200 OK\r\n\r\nRPC" -> cpe
report: cpe sends "3" -> c1
report: c1 sends ACK -> cpe
report: c1 sends "HTTP/1.1 200 OK\r\n\r\nRPC" -> cpe
report: cpe sends "4" -> c1
report: c1 sends ACK -> cpe
report: c1 sends "HTTP/1.1 204 No Content\r\n\r\n" -> cpe
report: c1 sends FIN -> cpe
next: is a session with itms
