# RST in answer to the SYN: the CPE's next attempt is the ITMS's, at once. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001
next: a report connection from 40002

wake: succeeds
report: cpe sends SYN -> c1, diverted
report: c1 sends RST -> cpe, report-reset
expect report: none
expect 1 closed
next: is a session with itms
