# The patent to the letter: the collector's FIN is success, whatever was said before. [P9]
modes: fin
wake: a Connection Request of c1 from 50001
report: a report connection from 40001

wake: opens
wake: asks, is answered 401
wake: closes, c1 first
expect activation armed c1
report: is a session with c1
