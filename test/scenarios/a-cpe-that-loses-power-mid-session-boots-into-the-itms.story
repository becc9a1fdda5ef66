# No FIN, no RST: the open connection holds nothing. In bounded time: at once. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001
boot: a report connection from 40002

wake: succeeds
report: opens with c1
report: talks with c1
wait 40 s
boot: is a session with itms
report: c1 sends "late news" -> cpe, report-answered
expect report: established c1
wait 7500 s
expect report: established c1
wait 1 ms
expect empty tables
