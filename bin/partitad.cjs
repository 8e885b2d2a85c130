#!/usr/bin/env node
'use strict';
/*
 * CommonJS on purpose: libuv reads UV_THREADPOOL_SIZE when its pool is first used, which an ES module's loader has
 * already done by the time our first line runs. Eight threads: one for the log's sync, one for a partition's commit, the
 * rest for start-up and file work, so that none of them waits behind another.
 */
const { existsSync } = require('node:fs');
const { join } = require('node:path');
const { pathToFileURL } = require('node:url');

process.env.UV_THREADPOOL_SIZE ??= '8';

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  refuse(`partitad needs Node 20.19 or newer, this is ${process.versions.node}`);
}
const uring = process.env.UV_USE_IO_URING;
if (uring !== undefined && uring !== '0') {
  refuse('UV_USE_IO_URING is set: file calls through io_uring are not what durability was tested with. Unset it');
}
const entry = join(__dirname, '..', 'dist', 'src', 'cli', 'partitad.js');
if (!existsSync(entry)) refuse(`${entry} is missing: this tree has not been built. Run "npm ci && npm run build"`);

import(pathToFileURL(entry).href)
  .then(({ partitad }) => partitad(process.argv.slice(2)))
  .then(
    (code) => process.exit(code),
    (error) => {
      console.error(error);
      process.exit(1);
    },
  );

function refuse(text) {
  process.stderr.write(`error: ${text}\n`);
  process.exit(2);
}
