# Its SYN+ACK comes after the entry has gone, when the ITMS has the connection. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001

wake: succeeds
report: cpe sends SYN -> c1, diverted
wait 10001 ms
report: may move, for its collector never answered
report: cpe sends SYN again -> itms, collector-silent
report: c1 sends SYN+ACK -> nobody, not-owner
report: itms sends SYN+ACK -> cpe, itms-forwarded
report: talks with itms
