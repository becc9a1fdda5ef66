# 60 s after the 200 its next session is the ITMS's again. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001

wake: opens
wake: asks, is answered 200
wait 60 s
expect activation armed c1
wait 1 ms
report: is a session with itms
