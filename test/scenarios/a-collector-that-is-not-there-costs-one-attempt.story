# An ICMP error that quotes the SYN, its number included, refuses it as a RST would. A guess changes nothing, and neither
# does an error about a SYN that the collector has answered. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001
next: a report connection from 40002
again: a Connection Request of c1 from 50002
answered: a report connection from 40003

wake: succeeds
report: cpe sends SYN -> c1, diverted
report: a forged error says that c1 is unreachable -> cpe, icmp-as-acs
expect activation armed c1
report: an error says that c1 is unreachable -> cpe, icmp-refused
expect report: none
expect 1 closed
next: is a session with itms

wait 1 s
again: succeeds
answered: cpe sends SYN -> c1, diverted
answered: c1 sends SYN+ACK -> cpe
answered: an error says that c1 is unreachable -> cpe, icmp-as-acs
answered: cpe sends ACK -> c1, report-to-owner
answered: talks with c1
