# reportConnections is full: to the ITMS, pinned there, and the activation waits for the next one. [D]
modes: auto response
a table holds 1 entries
first: a report connection of 10.1.7.2 from 40001
report: a report connection from 40001
next: a report connection from 40002
wake: a Connection Request of c1 from 50001 to 10.1.7.2
own: a Connection Request of c1 from 50002

wake: opens
wake: asks, is answered 200
first: is a session with c1
wait 10 s
wake: c1 sends RST -> cpe
wait 76 s
own: opens
own: asks, is answered 200
report: cpe sends SYN -> itms, report-table-full
expect activation armed c1
wait 30 s
report: cpe sends SYN again -> itms, pinned
report: itms sends SYN+ACK -> cpe, itms-forwarded
expect activation armed c1
next: cpe sends SYN -> itms, report-table-full
