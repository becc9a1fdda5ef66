# Digest on one connection: the CPE refuses, is asked again, and grants. [D]
modes: auto response

wake: a Connection Request of c1 from 50001
report: a report connection from 40001
next: a report connection from 40002

wake: opens
wake: asks, is answered 401
expect activation none
wake: asks, is answered 200
expect activation armed c1
wake: closes, c1 first
expect 1 armed-by-response
wait 300 ms
report: cpe sends SYN -> c1, diverted
report: c1 sends SYN+ACK -> cpe, report-answered
report: cpe sends ACK -> c1
report: talks with c1
report: ends with c1
report: closes with c1, c1 first
next: is a session with itms
