# After 7500 s without a packet. The ITMS resets what it does not know; the collector is no longer heard. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001

wake: succeeds
report: opens with c1
report: talks with c1
wait 7500 s
report: cpe sends ACK -> c1
wait 7500001 ms
report: may move, for its entry has expired
report: cpe sends "Inform" -> itms, report-to-itms
report: c1 sends "InformResponse" -> nobody, not-owner
report: itms sends RST -> cpe, itms-forwarded
