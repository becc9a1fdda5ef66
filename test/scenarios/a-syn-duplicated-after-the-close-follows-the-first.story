# An old SYN, stuck somewhere for a minute, comes once more: to the server that had it, and it opens nothing. [P10, D]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001

wake: succeeds
report: is a session with c1
wait 60 s
report: cpe sends SYN again -> c1, syn-repeated
report: c1 sends RST -> cpe, report-reset
expect activation none
