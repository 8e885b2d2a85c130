/*
 * The tree as subject: what no compiler checks, and what would rot unnoticed.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import test from 'ava';
import { SETTING_LIST } from '../src/daemon/config-schema.js';
import { BUILD } from '../src/model/build.js';
import { ROOT } from './support/daemon.js';

const LINES_MAX = 400;
const SELF = 'test/tidy.test.ts';
const GENERATED = 'src/wire/generated/';

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** Our own files under `folder`, as paths from the root. */
function filesUnder(folder: string, wanted: RegExp): readonly string[] {
  const absolute = join(ROOT, folder);
  if (!existsSync(absolute)) return [];
  return readdirSync(absolute, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && wanted.test(entry.name))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .filter((path) => !path.startsWith(GENERATED) && path !== SELF);
}

const sources = ['src', 'bench', 'test'].flatMap((folder) => filesUnder(folder, /\.ts$/));
const documents = ['README.md', 'CHANGELOG.md', 'protocol/PROTOCOL.md', ...filesUnder('docs', /\.md$/)].filter((path) =>
  existsSync(join(ROOT, path)),
);
const everything = [
  ...sources,
  ...documents,
  ...['bin', 'scripts', 'deploy', '.ci'].flatMap((folder) => filesUnder(folder, /./)),
  ...filesUnder('test', /\.(sh|c)$/),
  'protocol/partita.proto',
];

/** `path:line: text` of every line that matches. */
function linesMatching(paths: readonly string[], pattern: RegExp): readonly string[] {
  return paths.flatMap((path) =>
    read(path)
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
  );
}

interface Manifest {
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
}
const manifest = JSON.parse(read('package.json')) as Manifest;

test('the tree was found', (t) => {
  t.true(sources.length > 40, `${sources.length} sources`);
  t.true(documents.includes('README.md'));
});

test('no file is longer than 400 lines', (t) => {
  const long = sources.filter((path) => read(path).split('\n').length > LINES_MAX + 1);
  t.deepEqual(long, [], 'What second idea has moved in?');
});

test('nothing is left undone in a comment', (t) => {
  t.deepEqual(linesMatching(everything, /\b(TODO|FIXME|XXX|HACK)\b/), []);
});

test('no test is switched off, or alone; one that needs a tool says which', (t) => {
  const tests = sources.filter((path) => path.startsWith('test/'));
  const off = linesMatching(tests, /\b(test|serial)\.(only|skip|failing|todo)\b/).filter(
    (line) => !line.includes('// tidy: ') && !/\? test(\.serial)? : test(\.serial)?\.skip;/.test(line),
  );
  t.deepEqual(off, []);
});

test('no number of a tracker stands for a reason', (t) => {
  t.deepEqual(linesMatching(everything, /\bissue #?\d|\bissues (show|list)\b/), []);
});

test('no any, and no rule is switched off without a reason', (t) => {
  t.deepEqual(linesMatching(sources, /[:<|&,] *any\b *[;,)>=|&[\]]|\bas any\b/), []);
  t.deepEqual(linesMatching(sources, /@ts-(ignore|nocheck|expect-error)/), []);
  t.deepEqual(linesMatching(sources, /eslint-disable(?!.* -- )/), []);
});

test('exports are named', (t) => {
  const ours = sources.filter((path) => !path.endsWith('.d.ts'));
  t.deepEqual(linesMatching(ours, /^export default\b/), []);
});

test('every golden vector is read by a test', (t) => {
  const vectors = filesUnder('protocol/vectors', /./);
  const readers = sources
    .filter((path) => path.startsWith('test/'))
    .map(read)
    .filter((text) => text.includes('vectors'));
  const readsAll = readers.some((text) => text.includes('protocol/vectors') && text.includes('readdirSync('));
  const unread = vectors.filter(
    (path) => !readsAll && !readers.some((text) => text.includes(path.split('/').at(-1) ?? path)),
  );
  t.deepEqual(unread, []);
});

test('the commands that documents name exist', (t) => {
  const text = documents.map(read).join('\n');
  const scripts = [...text.matchAll(/\bnpm run (?:-s )?([a-z][\w:-]*)/g)].map((match) => match[1] ?? '');
  const short = [...text.matchAll(/\bnpm (start|test)\b/g)].map((match) => match[1] ?? '');
  const proofs = [...text.matchAll(/\bnpm run prove -- ([a-z][\w-]*)/g)].map((match) => match[1] ?? '');
  t.deepEqual(
    [...scripts, ...short].filter((name) => manifest.scripts[name] === undefined),
    [],
  );
  t.deepEqual(
    proofs.filter((name) => !existsSync(join(ROOT, 'test/prove', `${name}.ts`))),
    [],
  );
  t.true(short.includes('start') && short.includes('test'));
});

test('what documents link to is there', (t) => {
  const broken = documents.flatMap((path) =>
    [...read(path).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)]
      .map((match) => match[1] ?? '')
      .filter((target) => !existsSync(join(ROOT, dirname(path), target)))
      .map((target) => `${path}: ${target}`),
  );
  t.deepEqual(broken, []);
});

test('the tour in README visits every folder of src/', (t) => {
  const readme = read('README.md');
  const folders = readdirSync(join(ROOT, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  t.deepEqual(
    folders.map((entry) => entry.name).filter((name) => !readme.includes(`\`${name}/\``)),
    [],
  );
});

test('the operating manual explains every setting, with its default', (t) => {
  const manual = read('docs/operating.md');
  const missing = SETTING_LIST.filter(
    ({ path, fallback }) => !manual.includes(`| \`${path}\` | \`${fallback === '' ? '""' : fallback}\` |`),
  );
  t.deepEqual(
    missing.map(({ path }) => path),
    [],
  );
});

test('every dependency has its reason', (t) => {
  const decisions = read('docs/decisions.md');
  const names = Object.keys({
    ...manifest.dependencies,
    ...manifest.devDependencies,
    ...manifest.optionalDependencies,
  });
  t.deepEqual(
    names.filter((name) => !decisions.includes(`\`${name}\``)),
    [],
  );
});

test('protobufjs is at least 8.6.0, wherever it is installed: older ones run code from hostile schemas', (t) => {
  const { packages } = JSON.parse(read('package-lock.json')) as {
    packages: Record<string, { readonly version?: string }>;
  };
  const versions = Object.entries(packages).filter(([path]) => path.endsWith('node_modules/protobufjs'));
  t.true(versions.length > 0);
  for (const [path, { version = '' }] of versions) {
    const [major = 0, minor = 0] = version.split('.').map(Number);
    t.true(major > 8 || (major === 8 && minor >= 6), `${path} is ${version}`);
  }
});

test('the build says the release that the package has', (t) => {
  t.is(BUILD.release, (JSON.parse(read('package.json')) as { version: string }).version);
});
