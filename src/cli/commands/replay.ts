/** `acsplit replay`: runs captures through the same core as the live queue, with capture time as the clock. */

import { setFlagsFromString } from 'node:v8';
import { type Argv, type CommandModule } from 'yargs';
import { MAX_INPUTS, replayLive, type ReplayResult, REPLAY_SEED } from '../../replay/replay';
import { type DescriptorSink } from '../../replay/byte-io';
import { Expectation } from '../../replay/expectation';
import { LineReader } from '../../replay/line-reader';
import { type LineSink, LineTee, LineWriter } from '../../replay/lines';
import { PcapWriter } from '../../replay/pcap-writer';
import { PcapngWriter } from '../../replay/pcapng-writer';
import { CAPTURED_SIDES, type CapturedSide } from '../../replay/side';
import { type ReplaySummary, summarize, summaryLines, warningsOf } from '../../replay/summary';
import { Transcript } from '../../replay/transcript';
import { INLINING_FLAG } from '../../splitter/inlining';
import { Health } from '../../splitter/health/health';
import { Splitter } from '../../splitter/splitter';
import { ACTIVATION_MODES, type ActivationMode } from '../../splitter/topology';
import { loadConfiguration } from '../../configuration/configuration';
import { Failure, UsageError } from '../../configuration/errors';
import { giveUp } from '../file-errors';
import { type GlobalOptions, jsonOption } from '../options';
import { Progress } from '../progress';
import { openInput, openOutput, openStdout, openText, ReplayFiles, STANDARD } from '../replay-files';
import { stopOnSignals } from '../replay-signals';

interface ReplayOptions extends GlobalOptions {
  output: string | undefined;
  transcript: string | undefined;
  expect: string | undefined;
  activation: ActivationMode | undefined;
  side: CapturedSide | undefined;
  'keep-dropped': boolean;
  json: boolean;
}

export const replayCommand: CommandModule<GlobalOptions, ReplayOptions> = {
  command: 'replay',
  describe: 'run captures through the splitter: rewritten capture, one line per packet, reasons',
  builder: describeOptions,
  handler: (options) => runReplay(options, options._.slice(1).map(String)),
};

/** Captures are bare words: yargs' variadic positionals drop a `-`, which means stdin here. */
function describeOptions(parser: Argv<GlobalOptions>): Argv<ReplayOptions> {
  const text = (describe: string) => ({ type: 'string', requiresArg: true, describe }) as const;
  return parser
    .usage('acsplit replay IN... [OPTION...]\n\nIN: captures, pcap or pcapng, merged by time; - is stdin.')
    .strictCommands(false)
    .strict(false)
    .strictOptions()
    .demandCommand(1, Number.POSITIVE_INFINITY, 'name a capture: acsplit replay IN...')
    .option('output', {
      alias: 'o',
      ...text('rewritten capture: pcapng with reasons as comments, pcap if the name ends in .pcap; - is stdout'),
    })
    .option('transcript', text('one line per packet; - is stdout'))
    .option('expect', text('compare with this transcript; exit 1 if it differs'))
    .option('activation', { choices: ACTIVATION_MODES, requiresArg: true, describe: 'instead of the configured one' })
    .option('side', {
      choices: CAPTURED_SIDES,
      requiresArg: true,
      describe: 'side of every packet (default: by interface name, else by source address)',
    })
    .option('keep-dropped', { type: 'boolean', default: false, describe: 'write dropped packets too, unchanged' })
    .option('json', jsonOption)
    .example('$0 replay day.pcap --transcript -', 'who went where, and why')
    .example('$0 replay cpe.pcap itms.pcap col.pcap -o out.pcapng', 'three captures, merged by time')
    .example('$0 replay day.pcap --expect day.transcript', 'for CI');
}

async function runReplay(options: ReplayOptions, inputs: readonly string[]): Promise<void> {
  refuseContradictions(options, inputs);
  setFlagsFromString(INLINING_FLAG);
  const { topology, activation, lives, capacityEntries, onCollectorDown } = loadConfiguration(options.config);
  const splitter = new Splitter({
    topology,
    activation: options.activation ?? activation,
    lives,
    capacityEntries,
    seed: REPLAY_SEED,
    health: new Health({ seed: REPLAY_SEED, turnsAway: onCollectorDown === 'itms', isCapture: true }),
  });
  const files = new ReplayFiles();
  files.protect(options.config);
  let capture: DescriptorSink | undefined;
  let forgetSignals: (() => void) | undefined;
  try {
    const sources = inputs.map((name) => openInput(files, name));
    const expectation = options.expect ? new Expectation(new LineReader(openText(files, options.expect))) : undefined;
    const lines: LineSink[] = expectation ? [expectation] : [];
    if (options.transcript) lines.push(new LineWriter(openOutput(files, options.transcript)));
    const json = options.json ? openStdout(files) : undefined;
    const progress = isQuietTerminal(options) ? new Progress(files.inputBytes) : undefined;
    const { output, side } = options;
    forgetSignals = stopOnSignals(files.live);
    const result = await replayLive({
      sources,
      splitter,
      topology,
      keepDropped: options['keep-dropped'],
      ...(side && { side }),
      ...(lines.length > 0 && { transcript: new Transcript(splitter, new LineTee(lines)) }),
      ...(output && {
        openWriter: (flavour) => {
          capture = openOutput(files, output);
          return output.endsWith('.pcap')
            ? new PcapWriter(capture, flavour, output)
            : new PcapngWriter(capture, output);
        },
      }),
      ...(progress && { onProgress: (bytesRead: number, packets: number) => progress.show(bytesRead, packets) }),
    });
    progress?.clear();
    report(options, result, summarize(result, splitter), expectation, json);
  } catch (error) {
    throw inWords(giveUp(capture, error));
  } finally {
    forgetSignals?.();
    files.closeAll();
  }
}

/** True where progress on stderr does not disturb lines on the same terminal. */
function isQuietTerminal({ transcript }: ReplayOptions): boolean {
  return process.stderr.isTTY && !(transcript === STANDARD && process.stdout.isTTY);
}

function refuseContradictions(options: ReplayOptions, inputs: readonly string[]): void {
  if (inputs.length > MAX_INPUTS) throw new UsageError(`${inputs.length} captures, at most ${MAX_INPUTS} at once`);
  if (inputs.filter((name) => name === STANDARD).length > 1) throw new UsageError('- (stdin) can be named only once');
  const onStdout = [
    options.output === STANDARD && '--output -',
    options.transcript === STANDARD && '--transcript -',
    options.json && '--json',
  ].filter(Boolean);
  if (onStdout.length > 1) throw new UsageError(`${onStdout.join(' and ')} cannot both go to stdout`);
  if (options.expect === STANDARD) throw new UsageError('--expect needs a file name; stdin is for captures');
}

/** Prints the summary to stdout, or to stderr when other data goes to stdout. Throws when something was wrong. */
function report(
  options: ReplayOptions,
  result: ReplayResult,
  summary: ReplaySummary,
  expectation: Expectation | undefined,
  json: DescriptorSink | undefined,
): void {
  const { errors } = result;
  if (result.packets === 0 && errors.length > 0) throw unreadable(errors);
  const difference = expectation?.firstDifference
    ? { line: expectation.firstDifference, lines: expectation.report }
    : undefined;
  if (json) {
    const text = Buffer.from(`${JSON.stringify({ ...summary, ...(difference && { difference }) }, null, 2)}\n`);
    json.write(text, 0, text.length);
    json.close();
  } else {
    const isTaken = options.output === STANDARD || options.transcript === STANDARD;
    const lines = [...(difference?.lines ?? []), ...summaryLines(summary)];
    (isTaken ? process.stderr : process.stdout).write(lines.map((line) => `${line}\n`).join(''));
  }
  for (const warning of warningsOf(result)) process.stderr.write(`acsplit: warning: ${warning}\n`);
  if (errors.length > 0) throw unreadable(errors);
  if (difference) throw new Failure(`the transcript differs from ${options.expect} from line ${difference.line} on`);
}

function unreadable(errors: readonly Error[]): Failure {
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  return new Failure(`${errors[0].message}${more}`);
}

/** File errors are failures of the command; unexpected errors pass unchanged. */
function inWords(error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof Failure || error instanceof UsageError) return error;
  return code || error instanceof RangeError ? new Failure(message, { cause: error }) : error;
}
