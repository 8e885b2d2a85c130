/*
 * npm run prove -- NAME [--full]   one proof; its figures, and a last line "NAME: held …" or "NAME: fell short …"
 * npm run prove -- --list          what can be proved
 *
 * A proof is a module beside this one that exports `prove`. Exit 0: held; 1: fell short; 2: no such proof.
 */
import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import type { Proof } from './proof.js';

const NOT_PROOFS: ReadonlySet<string> = new Set(['run', 'proof']);

function moduleNames(): readonly string[] {
  return readdirSync(new URL('.', import.meta.url))
    .filter((file) => file.endsWith('.js') && !file.endsWith('.test.js'))
    .map((file) => basename(file, '.js'))
    .filter((name) => !NOT_PROOFS.has(name))
    .sort();
}

function isProof(value: unknown): value is Proof {
  return typeof value === 'object' && value !== null && 'question' in value && 'run' in value;
}

async function load(name: string): Promise<Proof | null> {
  const { prove } = (await import(new URL(`./${name}.js`, import.meta.url).href)) as { readonly prove?: unknown };
  return isProof(prove) ? prove : null;
}

async function list(): Promise<number> {
  const proofs = (await Promise.all(moduleNames().map(load))).filter((proof) => proof !== null);
  const width = Math.max(...proofs.map(({ name }) => name.length));
  for (const { name, question } of proofs) console.log(`${name.padEnd(width)} ${question}`);
  return 0;
}

async function runOne(proof: Proof, full: boolean): Promise<number> {
  console.log(
    `${proof.name}: ${proof.question}${full ? '' : ' (short form; --full for the figures of the documents)'}`,
  );
  const startedMs = performance.now();
  const seconds = (): string => `${((performance.now() - startedMs) / 1_000).toFixed(1)} s`;
  try {
    const { held, summary } = await proof.run({
      full,
      print: (line) => {
        console.log(`  ${line}`);
      },
    });
    console.log(`${proof.name}: ${held ? 'held' : 'fell short'} ${summary} (${seconds()})`);
    return held ? 0 : 1;
  } catch (error) {
    console.error(error);
    const text = error instanceof Error ? error.message.split('\n')[0] : String(error);
    console.log(`${proof.name}: fell short it could not be put to the test: ${text} (${seconds()})`);
    return 1;
  }
}

async function main(words: readonly string[]): Promise<number> {
  const known = new Set(['--full', '--list']);
  const unknown = words.filter((word) => word.startsWith('-') && !known.has(word));
  const [name, ...more] = words.filter((word) => !word.startsWith('-'));
  if (unknown.length > 0 || more.length > 0) {
    console.error(
      `error: Unexpected ${[...unknown, ...more].join(' ')}. Usage: npm run prove -- NAME [--full] | --list`,
    );
    return 2;
  }
  if (words.includes('--list') || name === undefined) return list();
  const proof = moduleNames().includes(name) ? await load(name) : null;
  if (proof !== null) return runOne(proof, words.includes('--full'));
  console.error(`error: There is no proof named ${name}. npm run prove -- --list names them all`);
  return 2;
}

process.exit(await main(process.argv.slice(2)));
