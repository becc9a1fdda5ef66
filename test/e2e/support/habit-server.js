'use strict';
// ACS servers with habits of real ones, at command (the actors' protocol, src/lab/lines.ts): serve {address, port, name,
// kind, idleMs, tls, key, cert}; wake {from, to, port}. Each answer names its server in X-Server. What a request with X-Last gets ends the session.
const http = require('node:http');
const https = require('node:https');
const readline = require('node:readline');

const write = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const BODY = '<InformResponse/>';

/** Status, body and headers for a request, by the kind of server. */
function answerFor(kind, asked) {
  const isLast = asked.headers['x-last'] !== undefined;
  const isKnown = asked.headers.authorization !== undefined;
  switch (kind) {
    case 'empty-200':
      return isLast ? [200, '', { 'Content-Length': 0 }] : [200, BODY];
    case 'empty-chunked':
      return isLast ? [200, '', { 'Transfer-Encoding': 'chunked' }] : [200, BODY];
    case 'asks-login':
      if (!isKnown) return [401, '', { 'WWW-Authenticate': 'Basic realm="acs"', 'Content-Length': 0 }];
      break;
    case 'refuses-login':
      return [401, '', { 'WWW-Authenticate': 'Basic realm="acs"', 'Content-Length': 0 }];
    case 'fails':
      return [500, 'out of order'];
    case 'closes-each':
      return isLast ? [204, '', { Connection: 'close' }] : [200, BODY, { Connection: 'close' }];
  }
  return isLast ? [204, ''] : [200, BODY];
}

function serve({ address, port, name, kind, idleMs, tls, key, cert }) {
  const answer = (asked, reply) => {
    asked.resume();
    asked.on('end', () => {
      const [status, body, headers = {}] = answerFor(kind, asked);
      const length =
        status === 204 || headers['Transfer-Encoding'] ? {} : { 'Content-Length': Buffer.byteLength(body) };
      reply.writeHead(status, { 'X-Server': name, ...length, ...headers }).end(body);
    });
  };
  const versions = tls === undefined ? {} : { key, cert, minVersion: tls, maxVersion: tls };
  const server = tls === undefined ? http.createServer(answer) : https.createServer(versions, answer);
  if (idleMs !== undefined) server.keepAliveTimeout = idleMs;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, () => resolve(null));
  });
}

/** A Connection Request: one GET, as soon as it is answered over. */
function wake({ from, to, port }) {
  return new Promise((resolve, reject) => {
    const asked = http.get({ localAddress: from, host: to, port, path: '/wake', agent: false }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode));
    });
    asked.on('error', reject);
  });
}

const ACTS = { serve, wake, settle: async () => null };

readline
  .createInterface({ input: process.stdin })
  .on('line', (text) => {
    const command = JSON.parse(text);
    ACTS[command.do](command).then(
      (result) => write({ answer: command.ask, result }),
      (error) => write({ answer: command.ask, error: error.message }),
    );
  })
  .on('close', () => process.exit(0));
write({ event: 'ready', atMs: Date.now() });
