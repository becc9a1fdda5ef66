# SYNs at 0, 1, 3, 7 and 15 s stay with it. 10 s after the last one the entry has gone, and the next is the ITMS's: with
# Linux' own schedule that is the SYN at 31 s. A new connection is the ITMS's after 3 s of silence, and a late one. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001
next: a report connection from 40002

wake: succeeds
report: cpe sends SYN -> c1, diverted
wait 1 s
report: cpe sends SYN again -> c1, syn-repeated
wait 2 s
next: cpe sends SYN -> itms, collector-silent
report: cpe sends SYN again -> c1, syn-repeated
wait 4 s
report: cpe sends SYN again -> c1, syn-repeated
wait 8 s
report: cpe sends SYN again -> c1, syn-repeated
wait 10001 ms
expect report: none
report: may move, for its collector never answered
wait 5999 ms
report: cpe sends SYN again -> itms, collector-silent
report: itms sends SYN+ACK -> cpe, itms-forwarded
report: talks with itms
