# What a forged RST can cost: on a connection that then stays silent for more than 10 s. The CPE's next packet reaches the
# ITMS, whose RST makes it begin anew. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001
next: a report connection from 40002

wake: succeeds
report: opens with c1
report: cpe sends forged RST -> c1
wait 10 s
expect report: reset c1
wait 1 ms
expect report: none
report: may move, for its entry has gone
report: cpe sends "Inform" -> itms, report-to-itms
report: itms sends RST -> cpe, itms-forwarded
next: is a session with itms
