/** All proofs, in the order in which `npm run prove` lists them. */
import type { Proof } from './proof';
import { benchmarks, replaySpeed } from './benchmarks';
import { carried, carriedKills } from './carried';
import { direct } from './direct';
import { boots, forgers, hostileCpe } from './attacks';
import { doctor } from './doctor';
import { habits, requestHabits } from './habits';
import { history } from './history';
import { instances } from './instances';
import { joining } from './joining';
import { keepalived } from './keepalived';
import { page } from './page';
import { routers } from './routers';
import { servers } from './servers';
import { untouched } from './untouched';
import { upgrade } from './upgrade';
import { faults, firewalls, flood, kills, races, soak, systemd } from './bad-days';
import { mutants } from './mutants';
import { fuzz, loads, model, plantedBugs, simulation } from './simulated';

export const PROOFS: readonly Proof[] = [
  simulation,
  plantedBugs,
  model,
  fuzz,
  loads,
  history,
  mutants,
  benchmarks,
  replaySpeed,
  kills,
  carried,
  carriedKills,
  faults,
  flood,
  soak,
  races,
  systemd,
  upgrade,
  firewalls,
  untouched,
  direct,
  instances,
  keepalived,
  routers,
  joining,
  page,
  doctor,
  servers,
  habits,
  requestHabits,
  forgers,
  boots,
  hostileCpe,
];
