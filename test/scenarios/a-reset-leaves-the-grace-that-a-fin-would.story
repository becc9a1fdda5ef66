# A CPE that leaves data unread closes by a RST (RFC 9293 section 3.6). What the collector said last decides, however the
# connection ended: a body, and the session may go on; a 204, and it is over. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
again: a Connection Request of c1 from 50002
first: a report connection from 40001
second: a report connection from 40002
third: a report connection from 40003
fourth: a report connection from 40004

wake: succeeds
first: opens with c1
first: talks with c1
first: cpe sends RST -> c1
second: is a session with c1
again: succeeds
third: opens with c1
third: talks with c1
third: ends with c1
third: c1 sends RST -> cpe
fourth: is a session with itms
wait 10001 ms
expect first: none
expect third: none
