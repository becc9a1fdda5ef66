# FINs cross; RFC 9293 figure 13. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001
next: a report connection from 40002

wake: succeeds
report: opens with c1
report: talks with c1
report: cpe sends FIN -> c1
report: c1 sends FIN -> cpe
report: cpe sends ACK -> c1
report: c1 sends ACK -> cpe
expect report: closed c1
expect activation grace c1
next: is a session with c1
