/*
 * `node dist/test/wire/write-vectors.js --write` writes protocol/vectors anew; without the flag it only says which files
 * would change. The difference is reviewed like code: a vector of a released version never changes.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FILES, REFUSALS, vectorsOf } from './vectors.js';

const folder = fileURLToPath(new URL('../../../protocol/vectors/', import.meta.url));
const write = process.argv.includes('--write');

const contents: readonly (readonly [string, unknown])[] = [
  ...FILES.map((file) => [file, vectorsOf(file)] as const),
  ['refused', REFUSALS],
];

let changed = 0;
for (const [file, vectors] of contents) {
  const path = join(folder, `${file}.json`);
  const text = `${JSON.stringify(vectors, null, 2)}\n`;
  let before = '';
  try {
    before = readFileSync(path, 'utf8');
  } catch {
    before = '';
  }
  if (before === text) continue;
  changed++;
  console.log(`${write ? 'wrote' : 'differs:'} ${path}`);
  if (write) writeFileSync(path, text);
}
process.exitCode = write || changed === 0 ? 0 : 1;
