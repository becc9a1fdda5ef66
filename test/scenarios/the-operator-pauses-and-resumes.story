# Pause ends all new diverting at once, and nothing that is diverted: a running session goes on, over its further
# connections too. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
during: a Connection Request of c1 from 50002
after: a Connection Request of c1 from 50003
report: a report connection from 40001
paused: a report connection from 40002
further: a report connection from 40004
resumed: a report connection from 40003

wake: succeeds
report: opens with c1
the operator pauses
report: talks with c1
report: closes with c1, cpe first
further: is a session with c1
during: succeeds
paused: cpe sends SYN -> itms, paused
paused: itms sends SYN+ACK -> cpe
paused: talks with itms
the operator resumes
wait 1 s
after: succeeds
resumed: is a session with c1
