/** What a schema tells about the values it takes: for suggestions, the JSON Schema and the start file. */

import * as v from 'valibot';

/** JSON Schema, as far as we use it, in the draft that editors know best. https://json-schema.org/draft-07/schema */
export type JsonSchema = Record<string, unknown>;

export interface Metadata extends Record<string, unknown> {
  json: JsonSchema;
}

/** Notes in a pipe what JSON Schema says of its values: a check is a function, and cannot be translated. */
export function inJson<T>(json: JsonSchema): v.MetadataAction<T, Metadata> {
  return v.metadata<T, Metadata>({ json });
}

/** The parts of valibot's schemas that we read. */
interface Part {
  type: string;
  entries?: Readonly<Record<string, Part>>;
  item?: Part;
  options?: readonly string[];
  /** The schema inside an optional one. */
  wrapped?: Part;
  default?: unknown;
  /** The steps of a checked schema; each is a schema, a check or a note. */
  pipe?: readonly Part[];
  description?: string;
  metadata?: Metadata;
}

/** A schema without its wrappings. */
export interface Described {
  isOptional: boolean;
  /** Undefined: none. */
  default: unknown;
  means: string;
  json: JsonSchema;
  /** Of a mapping. */
  entries: Readonly<Record<string, Described>> | undefined;
  /** Of a list. */
  item: Described | undefined;
  /** Of a choice. */
  options: readonly string[] | undefined;
}

export function described(schema: v.GenericSchema): Described {
  return readPart(schema as unknown as Part);
}

function readPart(part: Part): Described {
  const found: Described = {
    ...{ isOptional: false, default: undefined, means: '', json: {} },
    ...{ entries: undefined, item: undefined, options: undefined },
  };
  gather(part, found);
  return found;
}

function gather(part: Part, found: Described): void {
  if (part.pipe) {
    // A pipe repeats the members of its first step, which may be a pipe itself.
    for (const step of part.pipe) gather(step, found);
    return;
  }
  if (part.type === 'optional') {
    found.isOptional = true;
    found.default = part.default;
  }
  if (part.wrapped) gather(part.wrapped, found);
  if (part.type === 'description') found.means = part.description ?? '';
  if (part.type === 'boolean') found.json = { type: 'boolean' };
  if (part.metadata) found.json = part.metadata.json;
  if (part.options) found.options = part.options;
  if (part.item) found.item = readPart(part.item);
  if (part.entries) {
    found.entries = Object.fromEntries(Object.entries(part.entries).map(([name, entry]) => [name, readPart(entry)]));
  }
}

export function jsonOf(schema: v.GenericSchema): JsonSchema {
  return toJson(described(schema));
}

/** In the same order as the schema. @throws Error when a schema tells nothing of its values */
export function toJson({ json, means, entries, item, options, default: usual }: Described): JsonSchema {
  const note = means === '' ? {} : { description: means };
  if (entries) {
    const required = Object.keys(entries).filter((name) => !entries[name].isOptional);
    const properties = Object.fromEntries(Object.entries(entries).map(([name, entry]) => [name, toJson(entry)]));
    return {
      ...{ type: 'object', ...note, properties },
      ...(required.length > 0 ? { required } : {}),
      additionalProperties: false,
    };
  }
  const values = options ? { enum: options } : { ...json, ...(item ? { items: toJson(item) } : {}) };
  if (Object.keys(values).length === 0) throw new Error(`nothing is known of the values that mean: ${means}`);
  return { ...values, ...note, ...(usual === undefined ? {} : { default: usual }) };
}
