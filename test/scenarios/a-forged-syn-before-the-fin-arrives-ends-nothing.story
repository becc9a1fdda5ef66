# The collector has closed, and the CPE does not know it yet: what it has still to hear comes from its collector. [2]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001

wake: succeeds
report: opens with c1
report: talks with c1
report: c1 sends FIN -> cpe
report: cpe sends forged SYN -> c1, syn-onto-live
report: c1 sends ACK -> cpe
report: cpe sends ACK -> c1, report-to-owner
report: cpe sends forged SYN -> c1, diverted-in-grace
expect report: unanswered c1
