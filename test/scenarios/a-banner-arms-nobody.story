# Monitoring probes the CPE's ssh: it speaks first, and not HTTP. No FIN makes it a success. [2]
modes: auto response
probe: a Connection Request of c1 from 50001

probe: opens
probe: cpe sends "SSH-2.0-dropbear" -> c1
probe: c1 sends "SSH-2.0-probe" -> cpe
probe: cpe sends "\x00\x00" -> c1
probe: closes, c1 first
expect activation none
