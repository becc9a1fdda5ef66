# The other order: the collector's 2xx is the newer one. [D]
modes: auto response
own: a Connection Request of itms from 50002
wake: a Connection Request of c1 from 50001
report: a report connection from 40001

own: succeeds
wake: succeeds
report: is a session with c1
