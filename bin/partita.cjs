#!/usr/bin/env node
'use strict';
const { existsSync } = require('node:fs');
const { join } = require('node:path');
const { pathToFileURL } = require('node:url');

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  refuse(`partita needs Node 20.19 or newer, this is ${process.versions.node}`);
}
const entry = join(__dirname, '..', 'dist', 'src', 'cli', 'partita.js');
if (!existsSync(entry)) refuse(`${entry} is missing: this tree has not been built. Run "npm ci && npm run build"`);

import(pathToFileURL(entry).href)
  .then(({ partita }) => partita(process.argv.slice(2)))
  .then(
    (code) => {
      process.exitCode = code; // not exit(): what is still on its way to a pipe shall arrive
    },
    (error) => {
      console.error(error);
      process.exit(1);
    },
  );

function refuse(text) {
  process.stderr.write(`error: ${text}\n`);
  process.exit(2);
}
