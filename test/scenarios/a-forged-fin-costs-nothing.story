# It shortens the entry's life to 240 s of silence, and a session is never that silent. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001

wake: succeeds
report: opens with c1
report: cpe sends forged FIN -> c1
report: c1 sends forged FIN -> cpe
wait 119 s
report: talks with c1
wait 119 s
report: talks with c1
report: closes with c1, c1 first
