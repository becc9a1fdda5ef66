# An hour of sweeps, ten a second, frees nothing that lives; later they free everything. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
report: a report connection from 40001

wake: succeeds
report: opens with c1
the sweep comes 36000 times in 3600 s
report: talks with c1
report: closes with c1, cpe first
the sweep comes 2000 times in 241 s
expect empty tables
