/** Texts of configurations, and what is said of a wrong one. */
import { parseConfiguration } from '../../../src/configuration/configuration';
import { UsageError } from '../../../src/configuration/errors';

export const SMALLEST = `cpe:
  interface: eth0
  address: 10.1.0.1
  networks: [10.1.0.0/16]
itms:
  interface: eth1
  address: 10.2.0.2
collectors:
  - { name: c1, interface: eth2, address: 10.3.0.2 }
reportPorts: [7547]
`;

/** The same hosts in both families. */
export const BOTH_FAMILIES = SMALLEST.replace('10.1.0.1', '[10.1.0.1, 2001:db8:1::1]')
  .replace('10.1.0.0/16', '10.1.0.0/16, 2001:db8:1::/48')
  .replace('10.2.0.2', '[10.2.0.2, 2001:db8:2::2]')
  .replace('10.3.0.2', '[10.3.0.2, 2001:db8:3::2]');

/** The smallest configuration with one line replaced: `line` begins with the old line's number. */
export function withLine(number: number, text: string): string {
  const lines = SMALLEST.split('\n');
  lines[number - 1] = text;
  return lines.join('\n');
}

export function withMore(text: string): string {
  return `${SMALLEST}${text}\n`;
}

export function complaint(source: string): string {
  try {
    parseConfiguration(source, 'a.yaml');
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    expect((error as UsageError).exitCode).toBe(2);
    return (error as UsageError).message;
  }
  return 'accepted';
}

/** Refused in one line that holds `expected`: place, found, expected. */
export function expectRefused(source: string, expected: string): void {
  const line = complaint(source);
  expect(line).toContain(expected);
  expect(line).toMatch(/^a\.yaml:\d+:\d+: \S/);
  expect(line).not.toContain('\n');
  expect(line.length).toBeLessThan(400);
}
