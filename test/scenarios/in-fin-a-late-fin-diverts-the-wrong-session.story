# The patent to the letter: the session that was asked for is missed, the next periodic one is taken. [P9]
modes: fin
wake: a Connection Request of c1 from 50001
report: a report connection from 40001
periodic: a report connection from 40002

wake: opens
wake: asks, is answered 200
wait 300 ms
report: is a session with itms
wait 5 s
wake: closes, c1 first
expect activation armed c1
periodic: is a session with c1
