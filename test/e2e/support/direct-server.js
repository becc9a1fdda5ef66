'use strict';
// A server at its own address: `direct-server.js ADDRESS HTTP_PORT REPORT_PORT TLS_PORT KEY CERTIFICATE`. GET /N answers N
// bytes, each the low byte of its place. Says "ready" on stdout.
const { readFileSync } = require('node:fs');
const http = require('node:http');
const https = require('node:https');

const [address, httpPort, reportPort, tlsPort, key, certificate] = process.argv.slice(2);
const block = Buffer.from(Array.from({ length: 65_536 }, (_, at) => at & 255));

function answer(request, response) {
  let left = Number(request.url.slice(1));
  response.writeHead(200, { 'Content-Length': left });
  const more = () => {
    while (left > 0) {
      const part = block.subarray(0, Math.min(left, block.length));
      left -= part.length;
      if (!response.write(part)) return void response.once('drain', more);
    }
    response.end();
  };
  more();
}

const servers = [
  [http.createServer(answer), httpPort],
  [http.createServer(answer), reportPort],
  [https.createServer({ key: readFileSync(key), cert: readFileSync(certificate) }, answer), tlsPort],
];
let listening = 0;
for (const [server, port] of servers) {
  server.listen(Number(port), address, () => {
    if (++listening === servers.length) process.stdout.write('ready\n');
  });
}
