# A RST in the CPE's name passes, and changes nothing: its number is a guess (RFC 5961). A real one is remembered, and
# the next packet of the side that got it lifts the mark. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001
next: a report connection from 40002

wake: succeeds
report: opens with c1
report: talks with c1
report: cpe sends forged RST -> c1, report-unproven
expect report: established c1
report: cpe sends RST -> c1, report-to-owner
expect report: reset c1
report: c1 sends "still here" -> cpe
expect report: established c1
report: c1 sends forged RST -> cpe, report-unproven
expect report: established c1
report: c1 sends RST -> cpe, report-reset
expect report: reset c1
report: cpe sends "still here" -> c1
expect report: established c1
wait 2 min
report: talks with c1
report: closes with c1, c1 first
expect activation grace c1
next: is a session with c1
