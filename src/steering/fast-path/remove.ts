/** Takes the fast path's filters and pins away, and nothing else. */
import { existsSync, rmdirSync, unlinkSync } from 'node:fs';
import { type FastPathAddon, loadFastPathAddon } from './addon';
import { forget, handleOf, isOurs, pinDirectory, pinsIn, PRIORITY, recall } from './place';

/**
 * Removes an instance's filters from every interface of this network namespace, and its pins.
 *
 * @param stateDirectory undefined: not known; then filters are recognised by their program's name
 * @param keepsPins leaves the pinned maps
 * @returns how many filters were removed
 */
export function detachEverywhere(
  addon: FastPathAddon,
  instance: string,
  stateDirectory: string | undefined,
  keepsPins = false,
): number {
  const handle = handleOf(instance);
  const made = new Set((stateDirectory === undefined ? undefined : recall(stateDirectory))?.clsact);
  let count = 0;
  for (const { index } of addon.links()) {
    const found = addon.queryFilter(index, handle, PRIORITY);
    if (found !== 0 && isOurs(addon, found, stateDirectory)) {
      addon.detachFilter(index, handle, PRIORITY);
      count++;
    }
    // Only a qdisc of ours, and only when nobody else has begun to use it.
    if (made.has(index) && addon.countFilters(index) === 0) removeClsact(addon, index);
  }
  if (stateDirectory !== undefined) {
    forget(stateDirectory);
    if (!keepsPins) removePins(addon, pinDirectory(stateDirectory));
  }
  return count;
}

function removeClsact(addon: FastPathAddon, index: number): void {
  try {
    addon.removeClsact(index);
  } catch {
    // It is gone already.
  }
}

function removePins(addon: FastPathAddon, directory: string): void {
  if (!existsSync(directory)) return;
  if (addon.isBpffs(directory)) {
    pinsIn(directory).forEach((path) => unlinkSync(path));
    try {
      addon.unmountBpffs(directory);
    } catch {
      // Mounted by somebody else, who will take it away.
    }
  }
  try {
    rmdirSync(directory);
  } catch {
    // Still a mount point.
  }
}

/** For `acsplit rules remove`. A host without the addon has nothing attached. */
export function removeFastPath(instance: string, stateDirectory: string | undefined): number {
  let addon: FastPathAddon;
  try {
    addon = loadFastPathAddon();
  } catch {
    return 0;
  }
  return detachEverywhere(addon, instance, stateDirectory);
}
