/** The engine restarts on the memory of an earlier run, with a new hash seed, as in live use. */
import { GET, OK, Rig } from '../../support/rig';

const wake = (rig: Rig) => {
  rig.from('c1', 'SYN', { port: 40000 });
  rig.cpe('SYN+ACK', { port: 40000 });
  rig.from('c1', 'DATA', { port: 40000, payload: GET });
  rig.cpe('DATA', { port: 40000, payload: OK });
};

test('a SYN that went to the ITMS before the restart is pinned after it', () => {
  const rig = new Rig();
  expect(rig.cpe('SYN', { sequence: 77 })).toBe('to itms: to-itms');
  rig.wait(1000).restart({ seed: 8 });
  wake(rig);
  expect(rig.cpe('SYN', { sequence: 77 })).toBe('to itms: pinned');
  expect(rig.cpe('SYN', { sequence: 78 })).toBe('to c1: diverted');
});

test('an activation armed before the restart diverts after it, and the diverted connection stays', () => {
  const rig = new Rig();
  wake(rig);
  rig.restart({ seed: 8 });
  expect(rig.cpe('SYN')).toBe('to c1: diverted');
  rig.restart({ seed: 9 });
  rig.from('c1', 'SYN+ACK');
  rig.restart({ seed: 10 });
  expect(rig.cpe('ACK')).toBe('to c1: report-to-owner');
});
