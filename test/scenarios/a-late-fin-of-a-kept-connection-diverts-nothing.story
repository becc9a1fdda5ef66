# A keep-alive collector closes seconds later: the session in between is diverted, the next periodic one is not. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001
periodic: a report connection from 40002

wake: opens
wake: asks, is answered 200
wait 300 ms
report: is a session with c1
wait 5 s
wake: closes, c1 first
expect activation none
periodic: is a session with itms
