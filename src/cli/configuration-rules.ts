/** What must hold between the configuration's parts, each of which is well formed by itself. */

import { REMAP_RANGE } from '../splitter/state';
import { type ConfigurationShape } from './configuration-schema';
import { type Path, type Problem } from './configuration-text';

export function findContradictions(shape: ConfigurationShape): Problem[] {
  return [...sharedAddresses(shape), ...sharedNames(shape), ...sharedInterfaces(shape), ...ports(shape)];
}

function sharedAddresses(shape: ConfigurationShape): Problem[] {
  const entries: { path: Path; value: string; owner: string }[] = [
    { path: ['cpe', 'address'], value: shape.cpe.address.ipv4, owner: 'the ACS address' },
    { path: ['itms', 'address'], value: shape.itms.address.ipv4, owner: 'the ITMS' },
    ...shape.collectors.map(({ name, address }, i) => ({
      path: ['collectors', i, 'address'],
      value: address.ipv4,
      owner: `collector "${name}"`,
    })),
  ];
  return repeated(
    entries,
    (value, owner) => `found ${value}, which is already ${owner}; expected an address of its own`,
  );
}

function sharedNames(shape: ConfigurationShape): Problem[] {
  const entries = shape.collectors.map(({ name }, i) => ({ path: ['collectors', i, 'name'], value: name, owner: '' }));
  return repeated(entries, (value) => `found "${value}" a second time, expected a name of its own`);
}

/** ITMS and collectors may share an interface; with the CPEs none may, or directions could not be told apart. */
function sharedInterfaces(shape: ConfigurationShape): Problem[] {
  const servers: { path: Path; name: string }[] = [
    { path: ['itms', 'interface'], name: shape.itms.interface },
    ...shape.collectors.map((collector, i) => ({ path: ['collectors', i, 'interface'], name: collector.interface })),
  ];
  return servers
    .filter(({ name }) => name === shape.cpe.interface)
    .map(({ path, name }) => ({
      path,
      message: `found "${name}", which is the CPEs' interface; expected the one towards this server`,
    }));
}

/** A port of the ACS address in the remap range could not be told from a remapped source port of a server. */
function ports(shape: ConfigurationShape): Problem[] {
  const entries: { path: Path; value: number; owner: string }[] = [
    ...shape.reportPorts.map((value, i) => ({ path: ['reportPorts', i], value, owner: 'a report port' })),
    ...shape.itmsPorts.map((value, i) => ({ path: ['itmsPorts', i], value, owner: 'an ITMS port' })),
  ];
  const reserved = entries
    .filter(({ value }) => value >= REMAP_RANGE.first && value <= REMAP_RANGE.last)
    .map(({ path, value }) => ({
      path,
      message: `found ${value}, expected a port below ${REMAP_RANGE.first} (${REMAP_RANGE.first}-${REMAP_RANGE.last} are kept for remapped connections)`,
    }));
  return [
    ...reserved,
    ...repeated(entries, (value, owner) => `found ${value}, which is already ${owner}; expected another`),
  ];
}

/** One problem for every entry whose value an earlier entry has. */
function repeated<T>(
  entries: { path: Path; value: T; owner: string }[],
  message: (value: T, owner: string) => string,
): Problem[] {
  const owners = new Map<T, string>();
  const problems: Problem[] = [];
  for (const { path, value, owner } of entries) {
    const first = owners.get(value);
    if (first === undefined) owners.set(value, owner);
    else problems.push({ path, message: message(value, first) });
  }
  return problems;
}
