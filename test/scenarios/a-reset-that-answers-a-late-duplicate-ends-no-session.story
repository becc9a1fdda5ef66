# The FIN was sent again, for its ACK was late; the side that closed last has forgotten the connection. The session goes on. [D]
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
first: closes with c1, cpe first
first: cpe sends FIN again -> c1
first: c1 sends RST -> cpe
expect activation grace c1
second: cpe sends SYN -> c1, diverted-in-grace
second: c1 sends SYN+ACK -> cpe
second: cpe sends ACK -> c1
second: closes with c1, c1 first
again: succeeds
third: opens with c1
third: talks with c1
third: closes with c1, c1 first
third: c1 sends FIN again -> cpe
third: cpe sends RST -> c1
expect activation grace c1
wait 1999 ms
fourth: cpe sends SYN -> c1, diverted-in-grace
