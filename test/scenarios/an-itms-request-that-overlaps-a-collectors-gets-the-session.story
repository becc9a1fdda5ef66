# The CPE opens one session for both. It is the ITMS's, whichever 2xx comes last to end an activation. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
own: a Connection Request of itms from 50002
report: a report connection from 40001

wake: opens
own: opens
wake: asks, is answered 200
expect activation armed c1
own: asks, is answered 200
expect activation none
expect 1 ended-by-itms
wake: closes, c1 first
own: closes, itms first
report: is a session with itms
