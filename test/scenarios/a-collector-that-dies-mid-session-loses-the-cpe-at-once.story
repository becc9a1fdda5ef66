# It comes up again and resets what it does not know. The CPE's request was not answered: it may go on for 30 s, with a
# collector that refuses at once, and then it is the ITMS's. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001
next: a report connection from 40002
last: a report connection from 40003

wake: succeeds
report: opens with c1
report: talks with c1
wait 20 s
report: cpe sends "Inform" -> c1, report-to-owner
report: c1 sends RST -> cpe, report-reset
expect report: reset c1
expect activation grace c1
next: cpe sends SYN -> c1, diverted-in-grace
next: c1 sends RST -> cpe, report-reset
expect activation none
last: is a session with itms
