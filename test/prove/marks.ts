/** Puts generated text between two marks of a document: `<!-- begin NAME -->` and `<!-- end NAME -->`. */
import { readFileSync, writeFileSync } from 'node:fs';

export function writeBetweenMarks(file: string, name: string, text: string): void {
  const [begin, end] = [`<!-- begin ${name} -->`, `<!-- end ${name} -->`];
  const document = readFileSync(file, 'utf8');
  const [from, to] = [document.indexOf(begin), document.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${file} has no place for '${name}'`);
  writeFileSync(file, `${document.slice(0, from + begin.length)}\n\n${text}\n\n${document.slice(to)}`);
}
