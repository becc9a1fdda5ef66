/** Prometheus' own tool: unpacked by scripts/setup.sh where the host has none. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const UNPACKED = join(__dirname, '../../build/tools/promtool');
export const PROMTOOL = existsSync(UNPACKED) ? UNPACKED : 'promtool';
