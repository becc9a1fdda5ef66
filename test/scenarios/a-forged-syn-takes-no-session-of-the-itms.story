# While an activation stands, a SYN forged onto the port of a session with the ITMS is diverted; the session is not. [2]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001
next: a report connection from 40002

report: opens with itms
report: talks with itms
wake: succeeds
report: may move, for the forged SYN is another connection than the one that stands
report: cpe sends forged SYN -> c1, diverted
report: talks with itms
report: c1 sends forged SYN+ACK -> cpe, report-answered
expect report: unanswered c1
report: cpe sends ACK -> itms, report-unproven
report: talks with itms
expect activation armed c1
next: cpe sends SYN -> c1, diverted
report: closes with itms, cpe first
