# Node, GenieACS and Apache close idle connections after 5 s; the CPE needs 9 s for its next request and comes on a new
# connection. The last answer was a 200 with a body: up to 30 s. [2]
modes: auto response
wake: a Connection Request of c1 from 50001
first: a report connection from 40001
second: a report connection from 40002
third: a report connection from 40003

wake: succeeds
first: opens with c1
first: talks with c1
wait 5 s
first: c1 sends FIN -> cpe, report-finished
first: cpe sends FIN -> c1
wait 4 s
second: opens with c1
second: talks with c1
second: closes with c1, c1 first
wait 30001 ms
third: is a session with itms
