/** The JSON Schema of the configuration file, for editors. */

import { jsonOf } from './described';
import { configurationSchema } from './schema';

export function schemaText(): string {
  const head = { $schema: 'http://json-schema.org/draft-07/schema#', title: 'acsplit.yaml' };
  return `${JSON.stringify({ ...head, ...jsonOf(configurationSchema) }, null, 2)}\n`;
}
