const fs = require('fs');

fs.mkdirSync('dist', { recursive: true });
fs.writeFileSync('dist/index.html', `<!DOCTYPE html>\n<title>multi</title>\n<p>Made by Node.js ${process.version}.</p>\n`);
