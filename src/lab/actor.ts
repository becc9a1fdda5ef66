/** The director's side of an actor: starts its program in a namespace, sends it commands and records its reports. */
import type { ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { join } from 'node:path';
import { readLines, type Answer, type Happening, type Line } from './lines';
import { end, type Launcher } from './rooms';
import { type Role } from './world';

/** Limit for one command or one awaited event; far longer than any that succeeds. */
const PATIENCE_MS = 60_000;

interface Pending {
  resolve: (result: unknown) => void;
  reject: (error: Error) => void;
}

export class Actor<E extends Happening> {
  /** Everything it has reported so far, in order. */
  readonly events: E[] = [];
  private readonly news = new EventEmitter();
  private readonly pending = new Map<number, Pending>();
  private asked = 0;
  private failure: Error | undefined;
  private complaints = '';

  private constructor(
    readonly name: string,
    private readonly child: ChildProcess,
  ) {
    this.news.setMaxListeners(0);
    readLines<Line>(
      child.stdout!,
      (line) => this.hear(line),
      (text) => (this.complaints += text + '\n'),
    );
    child.stderr!.on('data', (chunk: Buffer) => (this.complaints += chunk.toString()));
    child.once('error', (error) => this.fail(error.message));
    child.once('exit', (code, signal) => this.fail(`ended (${signal ?? code}) ${this.complaints.trim()}`));
  }

  /**
   * Starts a program of this folder in a namespace and waits until it is ready.
   * @param program file name without extension
   * @param settings its one argument, as JSON
   */
  static async start<E extends Happening>(
    world: Launcher,
    role: Role,
    name: string,
    program: string,
    settings: object,
  ): Promise<Actor<E>> {
    return Actor.launch(world, role, name, [
      process.execPath,
      join(world.programs, `${program}.js`),
      JSON.stringify(settings),
    ]);
  }

  /** Starts any program that speaks the actors' protocol, and waits until it is ready. */
  static async launch<E extends Happening>(
    world: Launcher,
    role: Role,
    name: string,
    argv: readonly string[],
  ): Promise<Actor<E>> {
    const actor = new Actor<E>(name, world.start(role, argv));
    await actor.until(({ event }) => event === 'ready', 'to be ready');
    return actor;
  }

  /** Sends the actor a command; resolves with its result, or rejects with its error. */
  ask<T>(what: string, command: object = {}): Promise<T> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    const ask = ++this.asked;
    return new Promise<T>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.pending.delete(ask);
        reject(new Error(`${this.name}: no answer to "${what}" within ${PATIENCE_MS} ms`));
      }, PATIENCE_MS);
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        act();
      };
      this.pending.set(ask, {
        resolve: (result) => settle(() => resolve(result as T)),
        reject: (error) => settle(() => reject(error)),
      });
      this.child.stdin!.write(JSON.stringify({ ask, do: what, ...command }) + '\n');
    });
  }

  /** Waits for the first event that matches, past or future. */
  async until<S extends E>(fits: (event: E) => event is S, what: string): Promise<S>;
  async until(fits: (event: E) => boolean, what: string): Promise<E>;
  async until(fits: (event: E) => boolean, what: string): Promise<E> {
    const [first] = await this.untilCount(1, fits, what);
    return first as E;
  }

  /** Waits until at least `count` events match, and returns all that do. */
  untilCount(count: number, fits: (event: E) => boolean, what: string): Promise<E[]> {
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        clearTimeout(timer);
        this.news.off('news', look);
      };
      const look = (): void => {
        const found = this.events.filter(fits);
        if (found.length >= count) {
          stop();
          resolve(found);
        } else if (this.failure !== undefined) {
          stop();
          reject(this.failure);
        }
      };
      const timer = setTimeout(() => {
        stop();
        const found = this.events.filter(fits).length;
        reject(new Error(`${this.name}: waited ${PATIENCE_MS} ms for ${what}: ${found} of ${count}`));
      }, PATIENCE_MS);
      this.news.on('news', look);
      look();
    });
  }

  /** Calls `onEvent` for every event from now on; returns a function that stops this. */
  listen(onEvent: (event: E) => void): () => void {
    let heard = this.events.length;
    const catchUp = (): void => {
      while (heard < this.events.length) onEvent(this.events[heard++] as E);
    };
    this.news.on('news', catchUp);
    return () => this.news.off('news', catchUp);
  }

  async stop(): Promise<void> {
    await end(this.child);
  }

  private hear(line: Line): void {
    if ('event' in line) {
      this.events.push(line as E);
      this.news.emit('news');
      return;
    }
    const { answer, result, error }: Answer = line;
    const pending = this.pending.get(answer);
    this.pending.delete(answer);
    if (error === undefined) pending?.resolve(result);
    else pending?.reject(new Error(`${this.name}: ${error}`));
  }

  private fail(why: string): void {
    this.failure ??= new Error(`${this.name}: ${why}`);
    for (const { reject } of this.pending.values()) reject(this.failure);
    this.pending.clear();
    this.news.emit('news');
  }
}
