const http = require('http');
const ms = require('ms');

const begun = Date.now();
const server = http.createServer((request, response) => response.end(`up for ${ms(Date.now() - begun)}\n`));
server.listen(process.env.PORT);
process.on('SIGTERM', () => server.close());
