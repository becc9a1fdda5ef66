# Power loss, and a boot onto the same port, while the collector says nothing any more: after 10 s of silence from the
# first SYN on, it is decided afresh. Silence alone before that proves nothing. [2]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001

wake: succeeds
report: opens with c1
report: talks with c1
wait 10 min
report: cpe sends SYN of a new ISN -> c1, syn-onto-live
wait 9999 ms
report: cpe sends SYN again -> c1, syn-onto-live
wait 1 ms
report: may move, for its collector is dead
report: cpe sends SYN again -> itms, to-itms
