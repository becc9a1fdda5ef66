'use strict';
// A TCP endpoint that a test talks to line by line. `listen ADDRESS PORT [MS]` echoes whatever any connection sends,
// after so many ms;
// `connect SOURCE ADDRESS PORT` sends the lines that it reads on stdin. Tells on stdout, one JSON line an event.
const net = require('node:net');
const readline = require('node:readline');

const [mode, first, ...rest] = process.argv.slice(2);
const tell = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

function watch(socket) {
  socket.setNoDelay(true);
  socket.on('error', (error) => tell({ event: 'error', code: error.code }));
  socket.on('close', () => tell({ event: 'closed' }));
}

if (mode === 'listen') {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    tell({ event: 'accepted', from: socket.remoteAddress });
    watch(socket);
    socket.on('data', (chunk) => setTimeout(() => socket.write(chunk), Number(rest[1] ?? 0)));
    socket.on('end', () => setTimeout(() => socket.end(), Number(rest[1] ?? 0)));
  });
  server.listen(Number(rest[0]), first, () => tell({ event: 'ready' }));
} else {
  const socket = net.connect({ localAddress: first, host: rest[0], port: Number(rest[1]) });
  watch(socket);
  socket.on('connect', () => tell({ event: 'connected' }));
  readline.createInterface({ input: socket }).on('line', (text) => tell({ event: 'line', text }));
  readline.createInterface({ input: process.stdin }).on('line', (text) => socket.write(`${text}\n`));
}
