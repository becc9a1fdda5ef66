# No RST, nothing: the CPE gives up and tries once more, for its request was not answered; what is silent for 3 s loses
# the CPE to the ITMS. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001
next: a report connection from 40002
last: a report connection from 40003

wake: succeeds
report: opens with c1
report: talks with c1
report: cpe sends "Inform" -> c1
wait 1 s
report: cpe sends "Inform" -> c1
wait 30 s
report: cpe sends RST -> c1
next: cpe sends SYN -> c1, diverted-in-grace
wait 3 s
last: is a session with itms
