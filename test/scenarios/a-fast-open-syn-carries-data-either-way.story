# RFC 7413: the GET on the collector's SYN, the 200 on the CPE's SYN+ACK; then the same on the report connection. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001

wake: c1 sends SYN with "GET / HTTP/1.1\r\n\r\n" -> cpe, request-opened
wake: cpe sends SYN+ACK with "HTTP/1.1 200 OK\r\n\r\n" -> c1
expect activation armed c1
wake: cpe sends SYN+ACK with "HTTP/1.1 200 OK\r\n\r\n" again -> c1
expect 1 answer-repeated
report: cpe sends SYN with "POST /ACS" -> c1, diverted
report: cpe sends SYN with "POST /ACS" again -> c1, syn-repeated
report: c1 sends SYN+ACK with "HTTP/1.1 200 OK\r\n\r\n" -> cpe, report-answered
report: cpe sends ACK -> c1
report: closes with c1, c1 first
