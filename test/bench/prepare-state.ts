/**
 * Fills the tables that `acsplit run` will take over: a hundred thousand live entries in each, and the CPEs of load.c
 * activated. Arguments: the configuration's file, and another number of entries.
 */
import { boottimeMs } from '../../src/engine/shared/binding';
import { EngineClock, LONGEST_STALL_MS } from '../../src/engine/shared/engine-clock';
import { mapState } from '../../src/engine/shared/state-file';
import { HeldState, seed } from '../../src/engine/supervisor/held-state';
import { loadConfiguration } from '../../src/configuration/configuration';
import { Splitter } from '../../src/splitter/splitter';
import { populate, prepareForLoad } from './population';

const LIVE_ENTRIES = 100_000;
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

const options = loadConfiguration(process.argv[2]);
const { fd } = new HeldState({ ...options, log: silent });
const { header, memory } = mapState(fd, Splitter.bufferBytes(options.capacityEntries, options.topology));
const splitter = new Splitter({ ...options, seed: seed(), buffer: memory });
const clock = new EngineClock(header.hands, boottimeMs(), LONGEST_STALL_MS, () => undefined);
populate(splitter, Number(process.argv[3] ?? LIVE_ENTRIES), clock.look(boottimeMs()));
prepareForLoad(splitter, clock.look(boottimeMs()));
