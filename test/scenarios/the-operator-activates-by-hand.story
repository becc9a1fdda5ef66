# No Connection Request at all. [D]
modes: auto response fin
report: a report connection from 40001
next: a report connection from 40002

the operator activates for c2
report: is a session with c2
wait 2001 ms
next: is a session with itms
