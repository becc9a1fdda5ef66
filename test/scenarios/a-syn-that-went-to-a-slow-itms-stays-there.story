# The activation is armed between the SYN and its retransmission: the pin. The next SYN uses the activation. [D]
modes: auto response
slow: a report connection from 40001
wake: a Connection Request of c1 from 50001
next: a report connection from 40002

slow: cpe sends SYN -> itms, to-itms
wait 400 ms
wake: succeeds
expect activation armed c1
wait 600 ms
slow: cpe sends SYN again -> itms, pinned
expect activation armed c1
slow: itms sends SYN+ACK -> cpe, itms-forwarded
slow: talks with itms
next: is a session with c1
