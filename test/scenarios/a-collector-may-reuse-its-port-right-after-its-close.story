# On the collector's side: the second request of the same ports is judged by itself. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001

wake: opens
wake: asks, is answered 401
wake: closes, c1 first
wake: c1 sends SYN of a new ISN -> cpe, request-opened
wake: cpe sends SYN+ACK -> c1
wake: asks, is answered 200
expect activation armed c1
report: is a session with c1
