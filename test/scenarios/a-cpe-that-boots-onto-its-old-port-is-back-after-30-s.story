# The boot takes longer than 30 s, and its first port is the old one: decided afresh. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001

wake: succeeds
report: opens with c1
wait 29.999 s
report: cpe sends SYN of a new ISN -> c1, syn-onto-live
wait 1 ms
report: cpe sends SYN of a new ISN -> itms, to-itms
report: itms sends SYN+ACK -> cpe, itms-forwarded
