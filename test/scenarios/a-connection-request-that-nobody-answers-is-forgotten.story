# SYNs at 0, 1, 3, 7, 15, 31 and 63 s into the void; 75 s after the last of them nothing is left. [D]
modes: auto response fin
wake: a Connection Request of c1 from 50001
report: a report connection from 40001

wake: c1 sends SYN -> cpe, request-opened
wait 1 s
wake: c1 sends SYN again -> cpe, request-repeated
wait 2 s
wake: c1 sends SYN again -> cpe, request-repeated
wait 4 s
wake: c1 sends SYN again -> cpe, request-repeated
wait 8 s
wake: c1 sends SYN again -> cpe, request-repeated
wait 16 s
wake: c1 sends SYN again -> cpe, request-repeated
wait 32 s
wake: c1 sends SYN again -> cpe, request-repeated
wait 75 s
expect wake: unanswered c1
wait 1 ms
expect wake: none
report: is a session with itms
