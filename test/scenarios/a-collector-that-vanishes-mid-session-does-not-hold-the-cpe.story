# No RST, nothing: the CPE gives up, and opens its next session from another port. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001
next: a report connection from 40002

wake: succeeds
report: opens with c1
report: talks with c1
report: cpe sends "Inform" -> c1
wait 1 s
report: cpe sends "Inform" -> c1
wait 30 s
report: cpe sends RST -> c1
next: is a session with itms
