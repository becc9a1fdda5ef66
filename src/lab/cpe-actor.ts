/** The program of the CPEs: any number of them in one namespace, each with its own address. */
import { Cpe, type CpeSettings, type Session, type Woken } from './cpe';
import { serve, tell, type Command, type Happening } from './lines';
import { PERIODIC } from './cwmp';

export interface CpesSettings {
  acs: { address: string; port: number };
  cpes: CpeSettings[];
}

export type CpeEvent =
  | (Happening & { event: 'ready' })
  | (Happening & Woken & { event: 'woken' })
  | (Happening & Session & { event: 'session' });

const settings = JSON.parse(process.argv[2] as string) as CpesSettings;
const observer = {
  woken: (what: Woken): void => tell('woken', what),
  session: (what: Session): void => tell('session', what),
};
const cpes = new Map(settings.cpes.map((one) => [one.address, new Cpe(one, settings.acs, observer)]));

serve({
  /** Runs one session now and returns its outcome. */
  inform: (command) => {
    const { eventCode, connections } = command as unknown as { eventCode?: string; connections?: number };
    return cpeOf(command).inform(eventCode ?? PERIODIC, connections);
  },
  /** Runs the session that a Connection Request asked for; an error if none did. */
  informAsAsked: (command) => cpeOf(command).informAsAsked(),
  transfer: (command) => {
    const { bytes, seed, paceMs } = command as unknown as { bytes: number; seed: number; paceMs?: number };
    return cpeOf(command).transfer(bytes, seed, paceMs);
  },
  /** Changes the settings of a CPE. */
  configure: (command) => {
    const cpe = cpeOf(command);
    cpe.settings = { ...cpe.settings, ...(command.settings as Partial<CpeSettings>) };
    return Promise.resolve();
  },
});

Promise.all([...cpes.values()].map((cpe) => cpe.listen())).then(
  () => tell('ready', {}),
  (error: Error) => {
    console.error(error.message);
    process.exit(1);
  },
);

function cpeOf(command: Command): Cpe {
  const cpe = cpes.get(String(command.cpe));
  if (cpe === undefined) throw new Error(`no such CPE: ${String(command.cpe)}`);
  return cpe;
}
