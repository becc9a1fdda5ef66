# One CPE is woken: its neighbour's sessions, and its own to the ITMS's other port, never notice. [P10, D]
modes: auto response fin
wake: a Connection Request of c1 from 50001
neighbour: a report connection of 10.1.7.2 from 40001
files: a report connection from 40009 to 8080
report: a report connection from 40001

wake: succeeds
neighbour: is a session with itms
files: cpe sends SYN -> itms, itms-port
files: cpe sends ACK -> itms, itms-port
report: is a session with c1
