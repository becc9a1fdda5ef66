# The safe first day. [D]
modes: off
wake: a Connection Request of c1 from 50001
report: a report connection from 40001
next: a report connection from 40002

wake: succeeds
expect 1 armed-by-response
report: cpe sends SYN -> itms, would-divert
report: itms sends SYN+ACK -> cpe, itms-forwarded
report: talks with itms
report: closes with itms, cpe first
next: is a session with itms
expect 1 would-divert
