# Of two entries each: a collector's request is refused, the ITMS's SYN passes unrecorded; what cannot be armed or
# remembered is the ITMS's. [D]
modes: auto response
a table holds 2 entries
one: a Connection Request of c1 from 50001 to 10.1.7.1
two: a Connection Request of c1 from 50002 to 10.1.7.2
three: a Connection Request of c1 from 50003 to 10.1.7.3
own: a Connection Request of itms from 50004 to 10.1.7.3
first: a report connection of 10.1.7.1 from 40001
second: a report connection of 10.1.7.2 from 40001
third: a report connection of 10.1.7.3 from 40001

one: opens
two: opens
one: asks, is answered 200
two: asks, is answered 200
three: c1 sends SYN -> nobody, request-table-full
own: itms sends SYN -> cpe, request-unrecorded
third: is a session with itms
first: opens with c1
second: opens with c1
