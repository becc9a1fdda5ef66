# Whoever can send in the CPE's name guesses ports, but not numbers: RST and SYN, in any order, end nothing, move nothing
# and let no second server answer. [2]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001

wake: succeeds
report: opens with c1
report: cpe sends forged RST -> c1, report-unproven
report: cpe sends forged SYN -> c1, syn-onto-live
report: c1 sends ACK -> cpe, report-answered
report: cpe sends forged bare RST -> c1, report-unproven
report: cpe sends forged FIN -> c1, report-unproven
report: cpe sends forged "Inform" -> c1, report-unproven
report: cpe sends forged SYN+ACK -> c1, report-unproven
report: cpe sends forged SYN -> c1, syn-onto-live
wait 2 s
expect report: established c1
report: talks with c1
report: itms sends forged SYN+ACK -> nobody, not-owner
