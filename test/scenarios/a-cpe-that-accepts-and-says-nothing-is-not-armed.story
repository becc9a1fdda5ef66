# A health check, or a time-out of the collector. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001

wake: opens
wake: asks
wait 30 s
wake: closes, c1 first
expect activation none
report: is a session with itms
