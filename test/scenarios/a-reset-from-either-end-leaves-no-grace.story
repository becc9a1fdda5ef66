# The next session is the ITMS's at once. [D]
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
second: is a session with itms
again: succeeds
third: opens with c1
third: talks with c1
third: c1 sends RST -> cpe
fourth: is a session with itms
wait 10001 ms
expect first: none
expect third: none
