# A stray ACK on a connection that a slow server has not answered yet draws a RST that acknowledges nothing: it answers
# no SYN, the opener ignores it, and the SYN's server stays the same. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
later: a Connection Request of c1 from 50002
report: a report connection from 40001

wake: succeeds
report: cpe sends SYN -> c1, diverted
report: may move, for the ITMS may have a connection on that port
report: cpe sends forged ACK -> itms
report: c1 sends bare RST -> cpe, report-unproven
report: cpe sends SYN again -> c1, syn-repeated
report: c1 sends SYN+ACK -> cpe
report: cpe sends ACK -> c1
report: talks with c1
report: closes with c1, c1 first
later: c1 sends SYN -> cpe
later: cpe sends bare RST -> c1
later: cpe sends SYN+ACK -> c1
later: c1 sends ACK -> cpe
