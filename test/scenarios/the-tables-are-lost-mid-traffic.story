# An undiverted connection goes on. A diverted one has no memory: its packets reach the ITMS, whose RST makes the CPE
# start again. A Connection Request of any server ends: a packet without an entry may belong to somebody else. [D]
modes: auto response
wake: a Connection Request of c1 from 50001
own: a Connection Request of itms from 50002
plain: a report connection of 10.1.7.2 from 40001
report: a report connection from 40001
next: a report connection from 40002

wake: succeeds
report: opens with c1
plain: opens with itms
own: opens
the tables are lost
plain: talks with itms
plain: closes with itms, cpe first
own: itms sends "GET / HTTP/1.1" -> nobody, request-unknown
report: may move, for its table is lost
report: cpe sends "Inform" -> itms, report-to-itms
report: itms sends RST -> cpe, itms-forwarded
report: c1 sends "InformResponse" -> nobody, not-owner
next: is a session with itms
expect empty tables
