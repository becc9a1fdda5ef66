/** Errors on the command line: one line, the likely intended word, exit status 2. */

import { UsageError } from '../../../src/configuration/errors';
import { jsonOption } from '../../../src/cli/options';
import { createParser } from '../../../src/cli/parser';

/** What a handler was called with, or the complaint. */
async function parse(words: string): Promise<Record<string, unknown> | string> {
  let given: Record<string, unknown> = {};
  const parser = createParser(words.split(' ').filter(Boolean))
    .command('status', 'shows', { json: jsonOption }, (options) => {
      given = options;
    })
    .command('fail', 'fails', {}, () => {
      throw new TypeError('of the handler');
    })
    .command('fail-later', 'fails', {}, () => Promise.reject(new TypeError('of the handler')))
    .command('give <address>', 'gives', { to: { type: 'string', demandOption: true } })
    .command('tables <table>', 'lists', (tables) => tables.positional('table', { choices: ['requests', 'activated'] }))
    .command('rules', 'has commands below it', (rules) => rules.demandCommand(1).command('show', 'shows'));
  try {
    await parser.parseAsync();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return error.message;
  }
  return given;
}

describe('wrong words are refused with a suggestion', () => {
  const rows: [string, string, string][] = [
    ['no command', '', 'which command? See acsplit --help'],
    ['a misspelt command', 'statsu', 'unknown command "statsu"; did you mean "status"?'],
    ['a command that resembles none', 'watermelon', 'unknown command "watermelon"; see acsplit --help'],
    ['a misspelt command below a command', 'rules shwo', 'unknown command "shwo"; did you mean "show"?'],
    ['no command below a command', 'rules', 'missing argument after "rules"; see acsplit rules --help'],
    ['an option that must be', 'give 10.1.0.5', '--to is missing; see acsplit give 10.1.0.5 --help'],
    ['an option that must be, misspelt', 'give 10.1.0.5 --too=x', 'unknown option "--too"; did you mean "--to"?'],
    [
      'a word that is not among the choices',
      'tables requets',
      'table: found "requets", expected one of requests, activated; did you mean "requests"?',
    ],
    ['a misspelt option', 'status --confg x', 'unknown option "--confg"; did you mean "--config"?'],
    ['a misspelt option with its value', 'status --jsno=true', 'unknown option "--jsno"; did you mean "--json"?'],
    ['an unknown letter', 'status -x', 'unknown option "-x"; see --help'],
    ['a word too many', 'status now', 'unexpected argument "now"; see --help'],
    ['an option without its value', 'status -c', '-c needs a value'],
    ['a hyphenated option, told once', 'status --con-fig', 'unknown option "--con-fig"; did you mean "--config"?'],
  ];
  test.each(rows)('%s', async (_, words, expected) => {
    expect(await parse(words)).toBe(expected);
  });
});

describe('right words', () => {
  test('every command takes the configuration', async () => {
    expect(await parse('status -c a.yaml --json')).toMatchObject({ config: 'a.yaml', json: true, debug: false });
    expect(await parse('status')).toMatchObject({ config: '/etc/acsplit/acsplit.yaml', json: false });
  });

  test('an option given twice: the last one counts', async () => {
    expect(await parse('status -c a.yaml --config=b.yaml')).toMatchObject({ config: 'b.yaml' });
  });

  test.each(['fail', 'fail-later'])('an error of the handler passes through unchanged: %s', async (words) => {
    await expect(parse(words)).rejects.toThrow(TypeError);
  });
});
