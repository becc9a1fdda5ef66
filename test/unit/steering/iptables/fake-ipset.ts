/** A simulated ipset for tests: sets in memory, with the messages of version 7.17. */

import { type Outcome, type Steering } from '../../../../src/steering/iptables';
import { createLines, wantedSets } from '../../../../src/steering/iptables/sets';
import { type Topology } from '../../../../src/splitter/topology';

interface FakeSet {
  /** As in the line that created it, without the name. */
  created: string;
  entries: string[];
}

export class FakeIpset {
  readonly sets = new Map<string, FakeSet>();
  /** What changed something, in order: `create ACSPLIT-ALIVE4`. */
  readonly changes: string[];

  constructor(changes: string[] = []) {
    this.changes = changes;
  }

  get names(): string[] {
    return [...this.sets.keys()];
  }

  /** With the sets that the rules of this topology need. */
  having(topology: Topology, steering: Steering): this {
    this.run(['restore'], wantedSets(topology, steering).flatMap(createLines).join('\n'));
    this.changes.length = 0;
    return this;
  }

  run(words: readonly string[], input = ''): Outcome {
    const ok = { status: 0, stdout: '', stderr: '' };
    if (words[0] === 'restore') {
      for (const line of input.split('\n').filter(Boolean)) this.restore(line.split(' '));
      return ok;
    }
    if (words.join(' ') === 'list -name') return { ...ok, stdout: `${this.names.join('\n')}\n` };
    const name = words.at(-1)!;
    const set = this.sets.get(name);
    if (!set) return { ...ok, status: 1, stderr: 'ipset v7.17: The set with the given name does not exist' };
    if (words[0] === 'destroy') {
      this.restore(['destroy', name]);
      return ok;
    }
    if (words[0] === 'save') {
      const lines = [`create ${name} ${set.created}`, ...set.entries.map((entry) => `add ${name} ${entry}`)];
      return { ...ok, stdout: `${lines.join('\n')}\n` };
    }
    const [type, ...header] = set.created.split(' ');
    const lines = [`Name: ${name}`, `Type: ${type}`, `Header: ${header.join(' ')} bucketsize 12 initval 0x1b4a1da5`];
    return { ...ok, stdout: `${lines.join('\n')}\nNumber of entries: ${set.entries.length}\n` };
  }

  private restore([verb, name, ...rest]: string[]): void {
    const set = this.sets.get(name);
    if (verb === 'add') return void set!.entries.push(rest[0]);
    this.changes.push(verb === 'swap' ? `swap ${name} ${rest[0]}` : `${verb} ${name}`);
    if (verb === 'create') {
      if (set) throw new Error(`set ${name} is created twice`);
      this.sets.set(name, { created: rest.join(' '), entries: [] });
    } else if (verb === 'destroy') {
      this.sets.delete(name);
    } else if (verb === 'swap') {
      const other = this.sets.get(rest[0])!;
      this.sets.set(name, other).set(rest[0], set!);
    } else {
      throw new Error(`ipset: what is "${verb}"?`);
    }
  }
}
