/*
 * npm start: a node, and a put and a get before the reader's eyes. Every line marked › really happened just now, through
 * the SDK, over TCP, to a partitad that syncs to disk. Then the node stays up for whoever wants to go on.
 */
import { setTimeout as rest } from 'node:timers/promises';
import { styleText } from 'node:util';
import { Client, codecs, PartitaError } from '../client/index.js';
import type { GetResult } from '../client/index.js';
import { startDemoNode } from './demo-node.js';
import type { DemoNode } from './demo-node.js';

const DATA_DIR = 'data/demo';
const BETWEEN_STEPS_MS = process.stdout.isTTY ? 350 : 0;
const CALL_TIMEOUT_MS = 10_000;

interface Cart {
  readonly items: readonly string[];
}

function say(text: string = ''): void {
  process.stdout.write(`${text}\n`);
}

function heading(text: string): void {
  say(`\n${styleText('bold', text)}`);
}

async function step(code: string, answer: string): Promise<void> {
  say(`  ${styleText('cyan', `› ${code}`)}`);
  say(`    ${styleText('green', answer)}`);
  await rest(BETWEEN_STEPS_MS);
}

function note(text: string): void {
  say(`    ${styleText('dim', text)}`);
}

/** `{tea}`, or `{tea} and {milk}` while nobody has merged them. */
function show(result: GetResult<Cart>): string {
  if (!result.found) return 'not found';
  return result.siblings.map((sibling) => `{ ${sibling.value.items.join(', ')} }`).join('  and  ');
}

async function tour(db: Client<Cart>): Promise<void> {
  heading('A put and a get');
  const before = await db.get('cart:1');
  const put = await db.put('cart:1', { items: ['tea'] }, { context: before.context });
  await step(
    "await db.put('cart:1', { items: ['tea'] }, { context })",
    `stored, ${put.meta.durable ? 'synced to disk' : 'buffered'}, in ${put.meta.durationMs.toFixed(1)} ms`,
  );
  const got = await db.get('cart:1');
  await step("await db.get('cart:1')", `${show(got)}, in ${got.meta.durationMs.toFixed(1)} ms`);
  note('A get also answers a context: what you have seen. A put replaces exactly that, and nothing else.');

  heading('Two shoppers who have both read it, and write at the same time');
  const { context } = got;
  const [anna, ben] = await Promise.all([
    db.put('cart:1', { items: ['tea', 'milk'] }, { context }),
    db.put('cart:1', { items: ['tea', 'bread'] }, { context }),
  ]);
  await step(
    'two puts with the same context, at once',
    `both accepted; ${Math.max(anna.siblingCount, ben.siblingCount)} versions now`,
  );
  const conflict = await db.get('cart:1');
  await step("await db.get('cart:1')", show(conflict));
  note('Neither is lost, and nobody picked a winner by the clock: you get both, and you know what they mean.');

  heading('Merge them');
  const merged = [...new Set(conflict.found ? conflict.siblings.flatMap((one) => one.value.items) : [])].sort();
  await db.put('cart:1', { items: merged }, { context: conflict.context });
  const after = await db.get('cart:1');
  await step(
    `await db.put('cart:1', { items: [${merged.map((item) => `'${item}'`).join(', ')}] }, { context })`,
    show(after),
  );
  note('db.update() does all three steps; a resolver given to the client merges on every read.');

  heading('A delete is a version too: it removes what its context has seen');
  await db.delete('cart:1', { context: after.context });
  await step("await db.delete('cart:1', { context })", show(await db.get('cart:1')));
}

function howToGoOn(node: DemoNode): void {
  const server = node.client === '127.0.0.1:7700' ? '' : ` --server ${node.client}`;
  heading('Your turn, in another terminal');
  for (const [command, about] of [
    [`put greeting hello${server}`, 'store a value'],
    [`get greeting${server}`, 'and read it'],
    [`explain greeting${server}`, 'its versions, dots and clocks'],
    [`bench -c 16 -d 5${server}`, 'how fast is it here?'],
  ] as const) {
    say(`  ${styleText('cyan', `node bin/partita.cjs ${command}`.padEnd(58))} ${styleText('dim', about)}`);
  }
  say(
    `\nNode ${node.nodeId.slice(0, 8)} (pid ${node.pid}) serves ${styleText('bold', node.client)}, data in ${node.dataDir}. Ctrl-C stops it.`,
  );
}

/** Resolves with the exit code when we are told to stop, or when the node ends by itself. */
function untilStopped(node: DemoNode): Promise<number> {
  return new Promise((resolve) => {
    let stopping = false;
    const stop = (): void => {
      if (stopping) process.exit(1);
      stopping = true;
      say('\nStopping: the node answers what is under way and syncs …');
      void node.stop();
    };
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
    void node.ended.then((code) => {
      say(
        stopping && code === 0
          ? `Stopped. What you put is ${node.temporary ? 'gone with its temporary directory' : 'still there the next time'}.`
          : `The node ended by itself, exit ${code}`,
      );
      resolve(code);
    });
  });
}

async function main(): Promise<number> {
  say(styleText('bold', 'Partita: an always-writeable key-value store, one node'));
  const node = await startDemoNode(DATA_DIR, (text) => {
    say(styleText('yellow', text));
  });
  const stopped = untilStopped(node);
  try {
    await using db = await Client.connect<Cart>({
      seeds: [node.client],
      codec: codecs.json<Cart>(),
      timeoutMs: CALL_TIMEOUT_MS,
    });
    await tour(db);
    howToGoOn(node);
  } catch (error) {
    await node.stop();
    throw error;
  }
  return stopped;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    const text =
      error instanceof PartitaError
        ? `${error.code}: ${error.message}`
        : error instanceof Error
          ? error.message
          : String(error);
    process.stderr.write(`error: ${text}\n`);
    process.exit(1);
  },
);
