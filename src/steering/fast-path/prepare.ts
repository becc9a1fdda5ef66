/** What `acsplit rules install` does for an engine that may not mount, such as a systemd unit's. */
import { loadFastPathAddon } from './addon';
import { allowFastPath, isRemembered, mountPins } from './place';

/**
 * Mounts the bpffs of an instance's pins where this process may, and lets an engine that runs attach again after
 * `rules remove`. A host without the addon has nothing to prepare.
 */
export function prepareFastPath(instance: string, stateDirectory: string): void {
  try {
    mountPins(loadFastPathAddon(), instance, stateDirectory);
    if (!isRemembered(stateDirectory)) allowFastPath(stateDirectory);
  } catch {
    // The engine says why it cannot carry.
  }
}
