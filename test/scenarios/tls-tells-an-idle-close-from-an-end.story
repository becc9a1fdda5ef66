# What cannot be read gives 2 s; but where the server closes first, a second or more after the last data, it has given up
# an idle connection. An alert is no data. [2]
modes: auto response
wake: a Connection Request of c1 from 50001
again: a Connection Request of c1 from 50002
first: a report connection from 40001
second: a report connection from 40002
third: a report connection from 40003

wake: succeeds
first: opens with c1
first: cpe sends "TLS client hello" -> c1
first: c1 sends "TLS server hello" -> cpe
wait 5 s
first: c1 sends "\x15\x03\x03\x00\x02\x01\x00" -> cpe
first: c1 sends FIN -> cpe
wait 30 s
second: opens with c1
second: cpe sends "TLS client hello" -> c1
second: c1 sends "TLS server hello" -> cpe
wait 5 s
second: cpe sends FIN -> c1
wait 2001 ms
expect activation none
third: is a session with itms
