# The collector's TCP answers a SYN onto its live connection with an ACK, the CPE with a RST, and the CPE's
# next SYN is a new connection. Half-open discovery, RFC 9293 section 3.5.1. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001

wake: succeeds
report: opens with c1
wait 20 s
report: cpe sends SYN of a new ISN -> c1, syn-onto-live
report: c1 sends challenge ACK -> cpe, report-answered
report: cpe sends challenged bare RST -> c1, report-to-owner
expect report: none
expect activation none
report: may move, for the collector's TCP never took this SYN
wait 1 s
report: cpe sends SYN again -> itms, to-itms
report: itms sends SYN+ACK -> cpe, itms-forwarded
