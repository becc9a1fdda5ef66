# The race of the CPE's SYN with the collector's FIN. What was read off the 200 wins it; the patent's FIN loses it. [P9, D]
modes: auto response fin
wake: a Connection Request of c1 from 50001
report: a report connection from 40001

wake: opens
wake: asks, is answered 200
[auto response] report: cpe sends SYN -> c1, diverted
[fin] report: cpe sends SYN -> itms, to-itms
wake: c1 sends FIN -> cpe, request-finished
[auto response] expect activation armed c1
[fin] expect activation armed c1
wake: cpe sends FIN -> c1
[auto response] report: c1 sends SYN+ACK -> cpe, report-answered
[fin] report: itms sends SYN+ACK -> cpe, itms-forwarded
[auto response] report: talks with c1
[fin] report: talks with itms
# The SYN that comes again, late, follows the first, armed or not.
[auto response] report: cpe sends SYN again -> c1, syn-repeated
[fin] report: cpe sends SYN again -> itms, pinned
