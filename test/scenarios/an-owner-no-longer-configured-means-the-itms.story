# A reload takes c1 away: what it had been woken for, and what it had open, is the ITMS's. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
other: a Connection Request of c1 from 50002 to 10.1.7.2
report: a report connection from 40001
next: a report connection of 10.1.7.2 from 40001

wake: succeeds
report: opens with c1
other: succeeds
the configuration is reloaded without c1
report: may move, for its owner has gone
report: cpe sends "Inform" -> itms, owner-gone
report: itms sends RST -> cpe, itms-forwarded
next: cpe sends SYN -> itms, owner-gone
next: itms sends SYN+ACK -> cpe
next: talks with itms
