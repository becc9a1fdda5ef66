# A new ISN onto a live connection: to its collector, entry untouched; the session goes on. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001

wake: succeeds
report: opens with c1
report: talks with c1
report: cpe sends forged SYN -> c1, syn-onto-live
expect report: established c1
report: c1 sends ACK -> cpe
report: talks with c1
report: closes with c1, c1 first
