# The CPE has closed its side and still receives, for as long as something comes every four minutes. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001

wake: succeeds
report: opens with c1
report: talks with c1
report: cpe sends FIN -> c1
wait 240 s
report: c1 sends "part of a long answer" -> cpe
report: cpe sends ACK -> c1
wait 240 s
report: c1 sends "the last part" -> cpe
report: cpe sends ACK -> c1
report: c1 sends FIN -> cpe, report-finished
report: cpe sends ACK -> c1
expect report: closed c1
