# The CPE listens on no such port: RST in answer to the SYN. [D]
modes: auto response fin
wake: a Connection Request of c1 from 50001
report: a report connection from 40001

wake: c1 sends SYN -> cpe, request-opened
wake: cpe sends RST -> c1, answer-to-owner
expect wake: none
expect activation none
report: is a session with itms
