# 401 only, 503, and a 404: a FIN ends each just as well, and the next session is the ITMS's. [D]
modes: auto response
unauthorized: a Connection Request of c1 from 50001
busy: a Connection Request of c1 from 50002
unknown: a Connection Request of c1 from 50003
report: a report connection from 40001

unauthorized: opens
unauthorized: asks, is answered 401
unauthorized: closes, c1 first
busy: opens
busy: asks, is answered 503
busy: closes, cpe first
unknown: opens
unknown: asks, is answered 404
unknown: closes, c1 first
expect activation none
report: is a session with itms
