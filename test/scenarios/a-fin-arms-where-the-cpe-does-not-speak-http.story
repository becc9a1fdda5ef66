# A status line that is not to be read: the first FIN of the collector, as the patent says. Something else than HTTP arms
# nobody but in fin, where every first FIN does. [P9, D]
modes: auto fin
wake: a Connection Request of c1 from 50001
report: a report connection from 40001
next: a report connection from 40002

wake: opens
wake: asks
wake: cpe sends "HTTP/1.1 two hundred" -> c1
expect activation none
wake: c1 sends FIN -> cpe
expect activation armed c1
expect 1 armed-by-fin
report: is a session with c1
wait 2001 ms
wake: c1 sends FIN again -> cpe
expect activation none
next: is a session with itms
