# It makes a provisional entry; the CPE's own stack resets the collector's SYN+ACK, and the activation waits for the
# session. [2]
modes: auto response
wake: a Connection Request of c1 from 50001
forged: a report connection from 40009
report: a report connection from 40001

wake: succeeds
forged: cpe sends SYN -> c1, diverted
expect activation armed c1
forged: c1 sends SYN+ACK -> cpe, report-answered
forged: cpe sends bare RST -> c1, report-to-owner
expect forged: none
expect activation armed c1
report: cpe sends SYN -> c1, diverted
report: c1 sends SYN+ACK -> cpe
expect report: unanswered c1
report: cpe sends ACK -> c1, report-to-owner
expect report: established c1
expect activation consumed c1
