# Linux probes after two idle hours: within the 7500 s that an entry lives. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001

wake: succeeds
report: opens with c1
wait 2 h
report: c1 sends ACK -> cpe
report: cpe sends ACK -> c1
wait 2 h
report: cpe sends ACK -> c1
report: c1 sends ACK -> cpe
wait 2 h
report: talks with c1
report: closes with c1, c1 first
