# The 200 rides on the CPE's FIN, the last words of both ends on theirs. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001
next: a report connection from 40002

wake: opens
wake: asks
wake: cpe sends FIN with "HTTP/1.1 200 OK\r\n\r\n" -> c1
expect activation armed c1
wake: c1 sends FIN -> cpe
report: opens with c1
report: talks with c1
report: c1 sends FIN with "HTTP/1.1 204 No Content\r\n\r\n" -> cpe, report-finished
report: cpe sends FIN with "bye" -> c1
expect report: closed c1
next: is a session with c1
