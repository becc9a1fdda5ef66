# A RST in answer to the SYN forgets the request; one after the handshake marks it, and arms nothing in any mode. [D]
modes: auto response fin
closed: a Connection Request of c1 from 50001
later: a Connection Request of c1 from 50002
report: a report connection from 40001

closed: c1 sends SYN -> cpe
closed: cpe sends RST -> c1
expect closed: none
closed: c1 sends SYN again -> cpe, request-opened
closed: cpe sends RST -> c1
later: opens
later: asks
later: cpe sends RST -> c1
expect later: reset c1
expect activation none
report: is a session with itms
