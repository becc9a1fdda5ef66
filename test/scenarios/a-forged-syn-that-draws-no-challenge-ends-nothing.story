# TCP limits the rate of challenge ACKs: a live collector leaves a SYN without an answer that comes too soon. [2]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001

wake: succeeds
report: opens with c1
report: talks with c1
report: cpe sends forged ACK -> c1, report-unproven
report: c1 sends ACK -> cpe
report: cpe sends forged SYN -> c1, syn-onto-live
wait 11 s
report: cpe sends forged SYN -> c1, syn-onto-live
report: c1 sends ACK -> cpe
report: talks with c1
