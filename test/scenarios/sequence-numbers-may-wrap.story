# At 2^32 and at 2^31, where a signed comparison would turn: answers are judged once each, SYNs are known again. [D]
modes: auto response
low: a Connection Request of c1 from 50001, ISN 4294962290
high: a Connection Request of c1 from 50002, ISN 2147478640
report: a report connection from 40001, ISN 4294967295
next: a report connection from 40002, ISN 2147483647

low: opens
low: asks, is answered 401
low: asks, is answered 200
expect activation armed c1
low: closes, c1 first
report: cpe sends SYN -> c1, diverted
report: cpe sends SYN again -> c1, syn-repeated
report: c1 sends SYN+ACK -> cpe
report: talks with c1
report: ends with c1
report: closes with c1, c1 first
wait 2001 ms
low: cpe sends "HTTP/1.1 200 OK" again -> c1, answer-unproven
high: opens
high: asks, is answered 401
high: asks, is answered 200
expect activation armed c1
next: cpe sends SYN -> c1, diverted
next: cpe sends SYN again -> c1, syn-repeated
