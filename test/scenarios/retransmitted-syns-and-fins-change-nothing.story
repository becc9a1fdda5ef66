# Of all four ends. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001
next: a report connection from 40002

wake: c1 sends SYN -> cpe, request-opened
wake: c1 sends SYN again -> cpe, request-repeated
wake: cpe sends SYN+ACK -> c1
wake: cpe sends SYN+ACK again -> c1
wake: c1 sends SYN again -> cpe, request-repeated
wake: asks, is answered 200
wake: c1 sends FIN -> cpe
wake: c1 sends FIN again -> cpe, request-finished
wake: cpe sends FIN -> c1
wake: cpe sends FIN again -> c1
expect 1 armed-by-response
report: cpe sends SYN -> c1, diverted
report: cpe sends SYN again -> c1, syn-repeated
report: c1 sends SYN+ACK -> cpe
report: cpe sends SYN again -> c1, syn-repeated
report: c1 sends SYN+ACK again -> cpe
report: talks with c1
report: ends with c1
report: c1 sends FIN -> cpe, report-finished
report: c1 sends FIN again -> cpe, report-finished
report: cpe sends FIN -> c1
report: cpe sends FIN again -> c1
wait 2001 ms
report: cpe sends FIN again -> c1
next: is a session with itms
