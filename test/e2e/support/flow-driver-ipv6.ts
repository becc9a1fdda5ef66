/** flow-driver.ts over IPv6. */
import './as-ipv6';
import './flow-driver';
