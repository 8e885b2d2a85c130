// Static protobuf code from protocol/partita.proto: no schema is ever parsed at run time, where a hostile one could inject code.
const { mkdirSync, statSync } = require('node:fs');
const { join } = require('node:path');
const pbjs = require('protobufjs-cli/pbjs');

const root = join(__dirname, '..');
const source = join(root, 'protocol', 'partita.proto');
const folder = join(root, 'src', 'wire', 'generated');
const target = join(folder, 'partita.js');
const age = (path) => {
  try {
    return statSync(path).mtimeMs;
  } catch {
    return 0;
  }
};

if (age(target) < age(source)) {
  mkdirSync(folder, { recursive: true });
  const flags = ['create', 'convert', 'verify', 'delimited', 'typeurl', 'service'].map((what) => `--no-${what}`);
  pbjs.main(['-t', 'static-module', '-w', 'esm', '-d', '-r', 'partita_v1', ...flags, '-o', target, source], (error) => {
    if (error) {
      console.error(error);
      process.exit(1);
    }
  });
}
