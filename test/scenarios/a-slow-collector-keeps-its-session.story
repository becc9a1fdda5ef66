# It answers the third SYN, more than 10 s after the first: the session, and the second connection of it, are its. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
first: a report connection from 40001
second: a report connection from 40002

wake: succeeds
first: cpe sends SYN -> c1, diverted
wait 7 s
first: cpe sends SYN again -> c1, syn-repeated
wait 8 s
first: cpe sends SYN again -> c1, syn-repeated
wait 9 s
first: c1 sends SYN+ACK -> cpe, report-answered
first: talks with c1
first: closes with c1, cpe first
expect activation grace c1
second: is a session with c1
