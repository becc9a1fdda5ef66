/** Options that would do nothing are refused. */

import { refuseIgnored } from '../../../src/cli/ignored';

const complaint = (words: string): string | undefined => {
  try {
    refuseIgnored(words.split(' '));
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
};

test.each([
  ['status --interval 2', '--interval does nothing without --watch'],
  ['status --interval=2 --json', '--interval does nothing without --watch'],
  ['status --watch --interval 2', undefined],
  ['status -w --interval 2', undefined],
  ['replay a.pcap --keep-dropped --json', '--keep-dropped does nothing without --output'],
  ['replay a.pcap --keep-dropped -o b.pcap', undefined],
  ['doctor -q --json', '--quiet does nothing beside --json: use one of them'],
  ['doctor -q', undefined],
  ['pause -c a.yaml --instance north', undefined],
  ['trace --config=a.yaml --socket /run/a', undefined],
  ['rules remove -c a.yaml --instance north', undefined],
  ['lab -c a.yaml', '--config does nothing here: lab has a configuration of its own'],
  ['lab --stay', undefined],
  ['tables activated --cpe 10.1.0.5 --limit 3', undefined],
])('%s: %s', (words, expected) => {
  expect(complaint(words)).toBe(expected);
});
