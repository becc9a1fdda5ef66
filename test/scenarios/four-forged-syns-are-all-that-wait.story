# Of one CPE at most four connections wait for their confirmation; a fifth SYN is the ITMS's. [2]
modes: auto response
wake: a Connection Request of c1 from 50001
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
five: cpe sends SYN -> itms, report-bound
expect activation armed c1
