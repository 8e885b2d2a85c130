/* What importing the client loads: no native addon, no Node server parts, nothing of the node itself. */
import test from 'ava';
import { readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url)); // dist/
const FOLDERS = new Set(['client', 'net', 'wire', 'ring', 'env', 'model', 'lib']);
const PACKAGES = new Set(['protobufjs/minimal.js', 'xxhash-wasm']);

/** Everything that a compiled file imports; with `import()` calls, unless only what is loaded at once is asked for. */
function importsOf(file: string, onlyAtOnce: boolean): string[] {
  const all = readFileSync(file, 'utf8');
  const text = onlyAtOnce ? all.replaceAll(/\bimport\s*\([^)]*\)/g, '') : all;
  const found = text.matchAll(/(?:^|[^.\w])(?:import|export)\s*(?:[\w*{}\s,$]*?\bfrom\s*)?\(?\s*["']([^"']+)["']/g);
  return Array.from(found, ([, specifier]) => specifier as string);
}

function closureOf(
  entry: string,
  onlyAtOnce: boolean = false,
): { readonly files: Set<string>; readonly packages: Set<string> } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const left = [entry];
  for (let file = left.pop(); file !== undefined; file = left.pop()) {
    if (files.has(file)) continue;
    files.add(file);
    for (const specifier of importsOf(file, onlyAtOnce)) {
      if (specifier.startsWith('.')) left.push(resolve(dirname(file), specifier));
      else packages.add(specifier);
    }
  }
  return { files, packages };
}

test('The client loads only its rows of the tree and two packages', (t) => {
  const { files, packages } = closureOf(resolve(root, 'src/client/index.js'));
  t.true(files.size > 40, `${files.size} files: the walk sees the graph`);
  const folders = new Set([...files].map((file) => relative(resolve(root, 'src'), file).split('/')[0] as string));
  t.deepEqual(
    [...folders].filter((folder) => !FOLDERS.has(folder)),
    [],
  );
  t.deepEqual(
    [...packages].filter((name) => !PACKAGES.has(name) && !name.startsWith('node:')),
    [],
  );
  t.true(packages.has('protobufjs/minimal.js') && packages.has('xxhash-wasm'), 'the walk sees packages');
});

test('The core of the client knows no promise, no timer and no Node module', (t) => {
  const { files, packages } = closureOf(resolve(root, 'src/client/core/client-core.js'));
  t.deepEqual([...packages], ['protobufjs/minimal.js']);
  for (const file of files) {
    if (file.includes('/generated/')) continue;
    const code = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
    t.notRegex(
      code,
      /\b(async|await|Promise|setTimeout|setImmediate|queueMicrotask|AbortSignal|Date\.now|Math\.random|process\.)\b/,
      file,
    );
  }
});

test('The commands that talk to a node load neither the engine nor the load generator', (t) => {
  for (const name of ['partita', 'commands/get', 'commands/put', 'commands/explain', 'commands/ping']) {
    const { files, packages } = closureOf(resolve(root, `src/cli/${name}.js`), true);
    const folders = new Set([...files].map((file) => relative(root, file).split('/').slice(0, 2).join('/')));
    for (const folder of ['src/storage', 'src/disk', 'src/daemon', 'src/node', 'src/workers', 'bench/load']) {
      t.false(folders.has(folder), `${name} loads ${folder}`);
    }
    t.false(packages.has('node-lmdb') || packages.has('piscina') || packages.has('zod'), name);
    t.true(packages.has(name.endsWith('partita') ? 'commander' : 'protobufjs/minimal.js'), 'the walk sees packages');
  }
});
