/** Checks between parts of the configuration, each of which is valid by itself. */

import { REMAP_RANGE } from '../splitter/memory/family-state';
import { type Family } from '../packet/address';
import { type Addresses } from '../splitter/topology';
import { FAMILY_NAMES, familyOfNetwork } from './address';
import { type ConfigurationShape } from './schema';
import { type Path, type Problem } from './text';

export function findContradictions(shape: ConfigurationShape): Problem[] {
  return [
    ...families(shape),
    ...sharedAddresses(shape),
    ...sharedNames(shape),
    ...sharedInterfaces(shape),
    ...ports(shape),
  ];
}

const FAMILIES = Object.keys(FAMILY_NAMES) as Family[];

/** All addresses with their owners in file order, the ACS address first. */
function everyAddress(shape: ConfigurationShape): { path: Path; address: Addresses; owner: string }[] {
  return [
    { path: ['cpe', 'address'], address: shape.cpe.address, owner: 'the ACS address' },
    { path: ['itms', 'address'], address: shape.itms.address, owner: 'the ITMS' },
    ...shape.collectors.map(({ name, address }, i) => ({
      path: ['collectors', i, 'address'],
      address,
      owner: `collector "${name}"`,
    })),
  ];
}

/** The ACS address defines the families: every server needs an address of each, and CPEs a network of each. */
function families(shape: ConfigurationShape): Problem[] {
  const problems: Problem[] = [];
  const { address, networks } = shape.cpe;
  for (const family of FAMILIES) {
    const name = FAMILY_NAMES[family];
    const isWanted = address[family] !== undefined;
    const because = `because the ACS address has ${isWanted ? 'one' : 'none'}`;
    for (const { path, address: own } of everyAddress(shape).slice(1)) {
      const found = Object.values(own).join(' and ');
      if (isWanted && own[family] === undefined) {
        problems.push({ path, message: `found ${found}, expected an ${name} address too, ${because}` });
      } else if (!isWanted && own[family] !== undefined) {
        problems.push({ path, message: `found ${own[family]}, expected no ${name} address, ${because}` });
      }
    }
    const ofFamily = networks.flatMap((text, i) => (familyOfNetwork(text) === family ? [{ text, i }] : []));
    if (isWanted && ofFamily.length === 0) {
      const message = `found no ${name} network, expected one, because the ACS address has an ${name} address`;
      problems.push({ path: ['cpe', 'networks'], message });
    } else if (!isWanted) {
      for (const { text, i } of ofFamily) {
        const message = `found ${text}, expected no ${name} network, because the ACS address has no ${name} address`;
        problems.push({ path: ['cpe', 'networks', i], message });
      }
    }
  }
  return problems;
}

function sharedAddresses(shape: ConfigurationShape): Problem[] {
  const entries = everyAddress(shape).flatMap(({ path, address, owner }) =>
    Object.values(address).map((value) => ({ path, value, owner })),
  );
  return repeated(entries, (value, owner) => `found ${value}, which is already ${owner}; expected a different address`);
}

function sharedNames(shape: ConfigurationShape): Problem[] {
  const entries = shape.collectors.map(({ name }, i) => ({ path: ['collectors', i, 'name'], value: name, owner: '' }));
  return repeated(entries, (value) => `found "${value}" a second time, expected a different name`);
}

/** ITMS and collectors may share an interface, but not with the CPEs: the interface tells the direction of a packet. */
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

/** A port of the ACS address inside the remap range could be confused with a remapped source port of a server. */
function ports(shape: ConfigurationShape): Problem[] {
  const entries: { path: Path; value: number; owner: string }[] = [
    ...shape.reportPorts.map((value, i) => ({ path: ['reportPorts', i], value, owner: 'a report port' })),
    ...shape.itmsPorts.map((value, i) => ({ path: ['itmsPorts', i], value, owner: 'an ITMS port' })),
  ];
  const reserved = entries
    .filter(({ value }) => value >= REMAP_RANGE.first && value <= REMAP_RANGE.last)
    .map(({ path, value }) => ({
      path,
      message: `found ${value}, expected a port below ${REMAP_RANGE.first} (${REMAP_RANGE.first}-${REMAP_RANGE.last} are reserved for remapped connections)`,
    }));
  return [
    ...reserved,
    ...repeated(entries, (value, owner) => `found ${value}, which is already ${owner}; expected a different port`),
  ];
}

/** One problem for each entry whose value an earlier entry has already. */
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
