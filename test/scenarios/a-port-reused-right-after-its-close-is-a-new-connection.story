# On the CPE's side: a new ISN on a closed connection. In grace it stays, later it is the ITMS's. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001

wake: succeeds
report: opens with c1
report: talks with c1
report: closes with c1, c1 first
report: cpe sends SYN of a new ISN -> c1, diverted-in-grace
report: c1 sends SYN+ACK -> cpe
report: talks with c1
report: closes with c1, cpe first
wait 30001 ms
report: cpe sends SYN of a new ISN -> itms, to-itms
report: itms sends SYN+ACK -> cpe, itms-forwarded
report: talks with itms
report: closes with itms, cpe first
