# 2 s and a millisecond after the last FIN. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
first: a report connection from 40001
second: a report connection from 40002

wake: succeeds
first: is a session with c1
wait 2001 ms
second: cpe sends SYN -> itms, to-itms
second: itms sends SYN+ACK -> cpe, itms-forwarded
second: talks with itms
