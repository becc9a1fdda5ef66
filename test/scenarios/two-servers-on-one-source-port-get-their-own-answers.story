# The later one leaves from another port; the CPE sees two connections. [D]
modes: auto response
own: a Connection Request of itms from 50001
wake: a Connection Request of c1 from 50001
other: a Connection Request of c2 from 50001
report: a report connection from 40001

own: opens
wake: c1 sends SYN -> cpe, request-remapped
wake: c1 sends SYN again -> cpe, request-repeated
other: c2 sends SYN -> cpe, request-remapped
wake: cpe sends SYN+ACK -> c1
other: cpe sends SYN+ACK -> c2
own: asks, is answered 401
wake: asks, is answered 200
expect activation armed c1
other: asks, is answered 503
own: closes, itms first
other: closes, cpe first
wake: closes, c1 first
expect 2 remapped
report: is a session with c1
