# A server closes an idle connection; what the CPE still sends upon it, or its own haste, draws a RST, and it connects anew. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
again: a Connection Request of c1 from 50002
first: a report connection from 40001
second: a report connection from 40002
third: a report connection from 40003
fourth: a report connection from 40004

wake: succeeds
first: opens with c1
first: talks with c1
first: c1 sends FIN -> cpe
wait 1 s
first: cpe sends "next request" -> c1
first: c1 sends RST -> cpe
second: cpe sends SYN -> c1, diverted-in-grace
again: succeeds
third: opens with c1
third: talks with c1
third: c1 sends FIN -> cpe
third: cpe sends RST -> c1
fourth: cpe sends SYN -> c1, diverted-in-grace
