/**
 * The templates' whole language: a word in braces stands for a value, and a line that names something of which there
 * are several is repeated for each of them. Comment lines stay as they are.
 */

export interface TemplateValues {
  /** By the word in braces. */
  single: Readonly<Record<string, string>>;
  /** By the part before the dot; each element by the part after it, '' where there is none. */
  several: Readonly<Record<string, readonly Readonly<Record<string, string>>[]>>;
}

const WORD = /\{(\w+)(?:\.(\w+))?\}/g;

/** The template with every word replaced. A word that nobody knows is a mistake in the template: thrown. */
export function fillTemplate(template: string, values: TemplateValues): string {
  return template
    .split('\n')
    .flatMap((line) => (line.startsWith('#') ? [line] : fillLine(line, values)))
    .join('\n');
}

function fillLine(line: string, values: TemplateValues): string[] {
  const list = [...line.matchAll(WORD)].map((match) => match[1]).find((word) => Object.hasOwn(values.several, word));
  if (list === undefined) return [line.replace(WORD, (word) => known(values.single[word.slice(1, -1)], word))];
  return values.several[list].flatMap((element) => {
    const filled = line.replace(WORD, (word, name: string, part: string | undefined) =>
      name === list ? known(element[part ?? ''], word) : word,
    );
    return fillLine(filled, values);
  });
}

function known(value: string | undefined, word: string): string {
  if (value === undefined) throw new Error(`no template value is called ${word}`);
  return value;
}
