# activatedCpes is full of others: the CPE stays with the ITMS. [D]
modes: auto response
a table holds 1 entries
one: a Connection Request of c1 from 50001 to 10.1.7.1
two: a Connection Request of c1 from 50002 to 10.1.7.2
first: a report connection of 10.1.7.1 from 40001
second: a report connection of 10.1.7.2 from 40001

one: opens
one: asks, is answered 200
one: c1 sends RST -> cpe
wait 10001 ms
two: opens
two: asks, is answered 200
expect 2 activation-table-full
expect activation none of 10.1.7.2
second: is a session with itms
first: is a session with c1
