# It comes up again and resets what it does not know: after a RST there is no grace. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001
next: a report connection from 40002

wake: succeeds
report: opens with c1
report: talks with c1
wait 20 s
report: cpe sends "Inform" -> c1, report-to-owner
report: c1 sends RST -> cpe, report-reset
expect report: reset c1
next: is a session with itms
