# ECE and CWR say nothing about who opens what. [P4, D]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001
plain: a report connection of 10.1.7.2 from 40001

wake: c1 sends SYN with ECN -> cpe, request-opened
wake: cpe sends SYN+ACK with ECN -> c1
wake: asks, is answered 200
report: cpe sends SYN with ECN -> c1, diverted
report: c1 sends SYN+ACK with ECN -> cpe, report-answered
plain: cpe sends SYN with ECN -> itms, to-itms
