'use strict';
// CPEs with habits of real ones, at command (the actors' protocol, src/lab/lines.ts).
//
//     session {from, to, port, waitsMs, tls, closeBy, credentials}   one CWMP session, a request after each wait; answers,
//             a request each: the server that X-Server names, the status, this end's port
//     wakeable {address, port, answerAfterSession}   answers Connection Requests; with answerAfterSession only once
//             `release` is called
const net = require('node:net');
const tls = require('node:tls');
const readline = require('node:readline');

const write = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const rest = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** One connection: a request at a time; `isOver` once the other end has closed. */
class Link {
  constructor(order) {
    this.isOver = false;
    this.text = '';
    this.waiting = undefined;
    this.socket = net.connect({ host: order.to, port: order.port, localAddress: order.from });
    this.raw = this.socket;
    this.opened = new Promise((resolve, reject) => {
      this.socket.once('error', reject);
      if (order.tls === undefined) return this.socket.once('connect', resolve);
      this.socket = tls.connect({
        socket: this.raw,
        rejectUnauthorized: false,
        minVersion: order.tls,
        maxVersion: order.tls,
      });
      this.socket.once('error', reject);
      this.socket.once('secureConnect', resolve);
    });
    this.socket.on('data', (chunk) => this.hear(chunk.toString('latin1')));
    for (const end of ['end', 'close', 'error']) {
      this.socket.on(end, () => {
        this.isOver = true;
        this.waiting?.reject(new Error('closed without an answer'));
      });
    }
  }

  hear(text) {
    this.text += text;
    const head = /^HTTP\/1\.1 (\d+)[^]*?\r\n\r\n/.exec(this.text);
    if (head === null) return;
    const length = Number(/content-length: (\d+)/i.exec(head[0])?.[1] ?? 0);
    const tail = /transfer-encoding: chunked/i.test(head[0]) ? '0\r\n\r\n' : '';
    const whole =
      head[0].length + (tail === '' ? length : this.text.indexOf(tail, head[0].length) + tail.length - head[0].length);
    if (this.text.length < whole || (tail !== '' && !this.text.includes(tail, head[0].length))) return;
    this.text = this.text.slice(whole);
    const server = /x-server: (\S+)/i.exec(head[0])?.[1] ?? 'nobody';
    if (/connection: close/i.test(head[0])) this.closesNext = true;
    this.waiting?.resolve({ server, status: Number(head[1]), port: this.port });
    this.waiting = undefined;
  }

  async post(headers) {
    await this.opened;
    this.port = this.raw.localPort;
    const answer = new Promise((resolve, reject) => (this.waiting = { resolve, reject }));
    this.socket.write(`POST /acs HTTP/1.1\r\nHost: acs\r\n${headers}Content-Length: 9\r\n\r\n<Inform/>`);
    return answer;
  }

  async close(by) {
    if (by === 'rst') this.raw.resetAndDestroy();
    else this.socket.end();
    await new Promise((resolve) => (this.raw.closed ? resolve() : this.raw.once('close', resolve)));
  }
}

async function session(order) {
  const { waitsMs, closeBy = 'fin', credentials = false } = order;
  const answers = [];
  let link;
  let login = '';
  for (const [step, waitMs] of waitsMs.entries()) {
    await rest(waitMs);
    for (let tries = 0; ; tries++) {
      if (link?.closesNext) await link.close('fin');
      if (link === undefined || link.isOver || link.closesNext) link = new Link(order);
      const answer = await link.post(`${login}${step === waitsMs.length - 1 ? 'X-Last: 1\r\n' : ''}`);
      answers.push(answer);
      if (answer.status !== 401 || !credentials || tries === 1) break;
      login = 'Authorization: Basic Y3BlOmNwZQ==\r\n';
      await link.close(closeBy);
      link = undefined;
    }
    if (answers.at(-1).status >= 400) break;
  }
  if (link && !link.isOver) await link.close(closeBy);
  return answers;
}

/** By address: lets a Connection Request's answer go. */
const releases = new Map();

function wakeable({ address, port, answerAfterSession = false }) {
  const held = new Promise((resolve) => releases.set(address, resolve));
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', async () => {
      write({ event: 'woken', atMs: Date.now(), cpe: address });
      if (answerAfterSession) await held;
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    });
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, () => resolve(null));
  });
}

const ACTS = { session, wakeable, release: async ({ address }) => releases.get(address)(), settle: async () => null };

readline
  .createInterface({ input: process.stdin })
  .on('line', (text) => {
    const command = JSON.parse(text);
    ACTS[command.do](command).then(
      (result) => write({ answer: command.ask, result: result ?? null }),
      (error) => write({ answer: command.ask, error: error.message }),
    );
  })
  .on('close', () => process.exit(0));
write({ event: 'ready', atMs: Date.now() });
