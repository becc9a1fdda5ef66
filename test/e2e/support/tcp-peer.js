'use strict';
// A TCP endpoint for tests: `serve ADDRESS PORT` echoes; `bulk ADDRESS PORT BYTES` sends so many bytes, reads the echo
// and compares digests; `lengths ADDRESS PORT LONGEST` has messages of 1, 2, … LONGEST bytes echoed one by one.
const crypto = require('node:crypto');
const net = require('node:net');

const [mode, address, port, amount] = process.argv.slice(2);
const print = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

function serve() {
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    socket.pipe(socket);
  });
  server.listen(Number(port), address, () => print({ ready: true }));
}

function bulk() {
  const socket = net.connect({ host: address, port: Number(port), allowHalfOpen: true });
  const sent = crypto.createHash('sha256');
  const received = crypto.createHash('sha256');
  // Odd on purpose, so that segments begin and end anywhere.
  const block = crypto.randomBytes(65537);
  let left = Number(amount);
  let receivedBytes = 0;
  const write = () => {
    while (left > 0) {
      const piece = block.subarray(0, Math.min(block.length, left));
      left -= piece.length;
      sent.update(piece);
      if (!socket.write(piece)) return;
    }
    socket.end();
  };
  socket.on('connect', () => write());
  socket.on('drain', write);
  socket.on('data', (piece) => {
    received.update(piece);
    receivedBytes += piece.length;
  });
  socket.on('end', () => print({ receivedBytes, equal: sent.digest('hex') === received.digest('hex') }));
  socket.on('error', (error) => print({ error: error.code }));
}

function lengths() {
  const socket = net.connect({ host: address, port: Number(port), noDelay: true });
  let length = 0;
  let expected = Buffer.alloc(0);
  let got = Buffer.alloc(0);
  const next = () => {
    if (++length > Number(amount)) {
      print({ echoed: length - 1, from: socket.remoteAddress });
      socket.end();
      return;
    }
    expected = crypto.randomBytes(length);
    got = Buffer.alloc(0);
    socket.write(expected);
  };
  socket.on('connect', next);
  socket.on('data', (piece) => {
    got = Buffer.concat([got, piece]);
    if (got.length < expected.length) return;
    if (!got.equals(expected)) {
      print({ error: `echo of ${length} bytes differs` });
      socket.destroy();
      return;
    }
    next();
  });
  socket.on('error', (error) => print({ error: error.code }));
}

({ serve, bulk, lengths })[mode]();
