# It was restarted, and answers the SYN that waits on an old connection with a SYN+ACK of its own. That packet is dropped,
# the entry goes, and the SYN that comes again is decided afresh. [2]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001

wake: succeeds
report: opens with c1
report: talks with c1
wait 20 s
report: cpe sends SYN of a new ISN -> c1, syn-onto-live
report: c1 sends SYN+ACK -> nobody, report-forgotten
expect report: none
report: may move, for its SYN was never answered
wait 1 s
report: cpe sends SYN again -> itms, to-itms
