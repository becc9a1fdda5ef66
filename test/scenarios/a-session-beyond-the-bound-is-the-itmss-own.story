# A new SYN that finds no room goes to the ITMS while the CPE is asked: that is the woken session, and the 200 that
# follows must not divert the next one. [2]
modes: auto response
wake: a Connection Request of c1 from 50001
more: a Connection Request of c1 from 50002
one: a report connection from 40001
two: a report connection from 40002
three: a report connection from 40003
four: a report connection from 40004
five: a report connection from 40005

wake: succeeds
one: cpe sends SYN -> c1, diverted
two: cpe sends SYN -> c1, diverted
three: cpe sends SYN -> c1, diverted
four: cpe sends SYN -> c1, diverted
more: opens
more: asks
wait 100 ms
five: cpe sends SYN -> itms, report-bound
wait 100 ms
more: cpe sends "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" -> c1
expect 1 session-first
