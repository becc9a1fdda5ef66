# The same collectors: every connection and activation stands. [D]
modes: auto response
wake: a Connection Request of c2 from 50001
report: a report connection from 40001
other: a Connection Request of c1 from 50001 to 10.1.7.2
next: a report connection of 10.1.7.2 from 40001

wake: succeeds
report: opens with c2
other: opens
the configuration is reloaded
report: talks with c2
other: asks, is answered 200
next: is a session with c1
