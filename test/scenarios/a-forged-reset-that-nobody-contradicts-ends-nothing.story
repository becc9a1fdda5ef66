# The connection then stays silent for hours: its number was a guess, so it is not remembered. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001

wake: succeeds
report: opens with c1
report: cpe sends forged RST -> c1, report-unproven
expect report: established c1
wait 2 h
report: talks with c1
report: ends with c1
report: closes with c1, c1 first
