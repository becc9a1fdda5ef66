# It is recorded, so that answers find back, and never arms. [D]
modes: auto response fin off
own: a Connection Request of itms from 50001
report: a report connection from 40001

own: opens
own: asks, is answered 401
own: asks, is answered 200
own: closes, itms first
expect activation none
report: is a session with itms
