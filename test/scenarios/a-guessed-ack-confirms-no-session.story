# The ACK of the SYN+ACK must acknowledge it: a forger has not seen it. [2]
modes: auto response
wake: a Connection Request of c1 from 50001
forged: a report connection from 40009

wake: succeeds
forged: may move, for the ITMS may have a connection on that port
forged: cpe sends SYN -> c1, diverted
forged: c1 sends SYN+ACK -> cpe, report-answered
forged: cpe sends forged ACK -> itms, report-unproven
forged: cpe sends forged "Inform" -> itms, report-unproven
expect forged: unanswered c1
expect activation armed c1
wait 10001 ms
expect forged: none
