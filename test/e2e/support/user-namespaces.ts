/** Some kernels, and any chroot, refuse user namespaces: what needs one is then skipped by name. */
import { spawnSync } from 'node:child_process';

const hasUserNamespaces = spawnSync('unshare', ['--user', '--map-root-user', 'true']).status === 0;

export function testInUserNamespace(title: string, run: jest.ProvidesCallback): void {
  if (hasUserNamespaces) test(title, run);
  else test.skip(`${title} (skipped: no user namespaces here)`, run);
}
