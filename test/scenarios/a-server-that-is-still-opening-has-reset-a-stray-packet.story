# In SYN-RECEIVED a server resets a stray packet and stays (RFC 9293). Its SYN+ACK, repeated, says so. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001
next: a report connection from 40002

wake: succeeds
report: cpe sends SYN -> c1, diverted
report: c1 sends SYN+ACK -> cpe, report-answered
report: c1 sends forged bare RST -> cpe, report-unproven
expect report: unanswered c1
wait 1 s
report: c1 sends SYN+ACK again -> cpe, report-answered
expect report: unanswered c1
wait 8 s
report: cpe sends SYN again -> c1, syn-repeated
report: c1 sends SYN+ACK again -> cpe, report-answered
report: talks with c1
report: closes with c1, cpe first
next: cpe sends SYN -> c1, diverted-in-grace
