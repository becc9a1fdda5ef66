/** The lab's configuration is accepted by the product and contains the requested settings. */
import { parseConfiguration } from '../../../src/configuration/configuration';
import { configurationText } from '../../../src/lab/engine';

describe('configuration of the lab', () => {
  it('is accepted, with all options', () => {
    const text = configurationText('/tmp/x', {
      activation: 'fin',
      gso: false,
      secondCollector: true,
      ttl: { grace: 3 },
    });
    const { topology, activation, queue, lives, stateDirectory } = parseConfiguration(text, 'lab.yaml');
    expect(topology.collectors.map(({ address }) => address.ipv4)).toEqual(['10.3.0.2', '10.3.0.3']);
    expect({ activation, gso: queue.gso, grace: lives.grace, stateDirectory }).toEqual({
      activation: 'fin',
      gso: false,
      grace: 3,
      stateDirectory: '/tmp/x/state',
    });
  });

  it('is accepted without any', () => {
    const { topology, activation } = parseConfiguration(configurationText('/tmp/x', {}), 'lab.yaml');
    expect(topology.collectors).toHaveLength(1);
    expect(activation).toBe('auto');
  });
});
