/** Checks between parts of the configuration, each of which is valid by itself. */

import { REMAP_RANGE } from '../splitter/memory/family-state';
import { type Family, isInNetwork, parseNetwork } from '../packet/address';
import { type Addresses } from '../splitter/topology';
import { FAMILY_NAMES, familyOfText } from './address';
import { covers } from './interface';
import { type ConfigurationShape } from './schema';
import { type Path, type Problem } from './text';

export function findContradictions(shape: ConfigurationShape): Problem[] {
  return [
    ...families(shape),
    ...sharedAddresses(shape),
    ...sharedNames(shape),
    ...sharedInterfaces(shape),
    ...additions(shape),
    ...ports(shape),
    ...stores(shape),
  ];
}

const FAMILIES = Object.keys(FAMILY_NAMES) as Family[];

/** All addresses with their owners in file order, the ACS address first. */
function everyAddress(shape: ConfigurationShape): { path: Path; address: Addresses; owner: string }[] {
  return [
    { path: ['cpe', 'address'], address: shape.cpe.address, owner: 'the ACS address' },
    ...everyServer(shape).map(({ path, server, owner }) => ({
      ...{ path: [...path, 'address'], address: server.address, owner },
    })),
  ];
}

type Server = ConfigurationShape['itms'] | ConfigurationShape['collectors'][number];

function everyServer({ itms, collectors }: ConfigurationShape): { path: Path; server: Server; owner: string }[] {
  return [
    { path: ['itms'], server: itms, owner: 'the ITMS' },
    ...collectors.map((server, i) => ({ path: ['collectors', i], server, owner: `collector "${server.name}"` })),
  ];
}

/** Further addresses from which servers send Connection Requests. */
function everyRequestAddress(shape: ConfigurationShape): { path: Path; value: string; owner: string }[] {
  return everyServer(shape).flatMap(({ path, server, owner }) =>
    server.requestAddresses.map((value, i) => ({ path: [...path, 'requestAddresses', i], value, owner })),
  );
}

/** Where CPEs are diverted first must be where CPEs live, and requests come in a family that CPEs have. */
function additions(shape: ConfigurationShape): Problem[] {
  const around = shape.cpe.networks.map((text) => parseNetwork(text)!);
  const foreign = everyRequestAddress(shape).flatMap(({ path, value }): Problem[] => {
    const family = familyOfText(value);
    if (shape.cpe.address[family] !== undefined) return [];
    const because = `because the ACS address has no ${FAMILY_NAMES[family]} address`;
    return [{ path, message: `found ${value}, expected no ${FAMILY_NAMES[family]} address, ${because}` }];
  });
  const outside = shape.collectors.flatMap(({ networks = [] }, i) =>
    networks.flatMap((text, k): Problem[] => {
      const { base, mask } = parseNetwork(text)!;
      const isInside = around.some(
        (network) => isInNetwork(base, network) && network.mask.every((word, at) => (word & ~mask[at]) === 0),
      );
      if (isInside) return [];
      return [
        { path: ['collectors', i, 'networks', k], message: `found ${text}, expected a part of one of cpe.networks` },
      ];
    }),
  );
  return [...foreign, ...outside];
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
    const ofFamily = networks.flatMap((text, i) => (familyOfText(text) === family ? [{ text, i }] : []));
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
  const own = everyAddress(shape).flatMap(({ path, address, owner }) =>
    Object.values(address).map((value) => ({ path, value, owner })),
  );
  const entries = [...own, ...everyRequestAddress(shape)];
  return repeated(entries, (value, owner) => `found ${value}, which is already ${owner}; expected a different address`);
}

function sharedNames(shape: ConfigurationShape): Problem[] {
  const entries = shape.collectors.map(({ name }, i) => ({ path: ['collectors', i, 'name'], value: name, owner: '' }));
  return repeated(entries, (value) => `found "${value}" a second time, expected a different name`);
}

/** ITMS and collectors may share an interface, but not with the CPEs: the interface tells the direction of a packet. */
function sharedInterfaces(shape: ConfigurationShape): Problem[] {
  const taken = shape.cpe.interface.flatMap((side) => [side.in, side.out]);
  return everyServer(shape)
    .filter(({ server }) => taken.some((name) => covers(name, server.interface)))
    .map(({ path, server }) => ({
      path: [...path, 'interface'],
      message: `found "${server.interface}", which is the CPEs' interface; expected the one towards this server`,
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

/** A store that is named twice would be written to twice, and a user without a password cannot log in. */
function stores({ cluster }: ConfigurationShape): Problem[] {
  const all = (cluster?.stores ?? []).map((store, i) => ({ store, path: ['cluster', 'stores', i] }));
  const entries = all.map(({ store, path }) => ({ path: [...path, 'address'], value: store.address, owner: '' }));
  return [
    ...repeated(entries, (value) => `found ${value} a second time, expected a different store`),
    ...all
      .filter(({ store }) => store.user !== undefined && store.passwordFile === undefined)
      .map(({ path }) => ({ path: [...path, 'user'], message: 'found a user, expected passwordFile beside it' })),
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
