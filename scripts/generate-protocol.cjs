// Static protobuf code from protocol/partita.proto: no schema is ever parsed at run time, where a hostile one could inject code.
// tsc compiles no JavaScript and copies none, so the generated files also go where the compiled ones are.
const { copyFileSync, mkdirSync, statSync } = require('node:fs');
const { join } = require('node:path');
const pbjs = require('protobufjs-cli/pbjs');

const root = join(__dirname, '..');
const source = join(root, 'protocol', 'partita.proto');
const folder = join(root, 'src', 'wire', 'generated');
const compiled = join(root, 'dist', 'src', 'wire', 'generated');
const names = ['partita.js', 'partita.d.ts'];
const age = (path) => {
  try {
    return statSync(path).mtimeMs;
  } catch {
    return 0;
  }
};

const copy = () => {
  mkdirSync(compiled, { recursive: true });
  for (const name of names) {
    if (age(join(compiled, name)) < age(join(folder, name))) copyFileSync(join(folder, name), join(compiled, name));
  }
};

if (names.some((name) => age(join(folder, name)) < Math.max(age(source), age(__filename)))) {
  mkdirSync(folder, { recursive: true });
  const flags = ['create', 'convert', 'verify', 'delimited', 'typeurl', 'service'].map((what) => `--no-${what}`);
  const target = join(folder, names[0]);
  pbjs.main(['-t', 'static-module', '-w', 'esm', '-d', '-r', 'partita_v1', ...flags, '-o', target, source], (error) => {
    if (error) {
      console.error(error);
      process.exit(1);
    }
    copy();
  });
} else {
  copy();
}
