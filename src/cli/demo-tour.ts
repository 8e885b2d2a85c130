/* The story of npm start: a put, a conflict, its merge; a node killed, put to and read without, and brought up to date. */
import { setTimeout as rest } from 'node:timers/promises';
import { styleText } from 'node:util';
import type { Client, GetResult } from '../client/index.js';
import type { DemoCluster } from './demo-cluster.js';
import type { DemoNode } from './demo-node.js';
import { heading, note, say, shown, step } from './demo-words.js';

export interface Cart {
  readonly items: readonly string[];
}

const ORDERS = 40;
const POLL_MS = 100;
const HOME_WITHIN_MS = 60_000;

/** `{ tea }`, or `{ tea } and { milk }` while nobody has merged them. */
function show(result: GetResult<Cart>): string {
  if (!result.found) return 'not found';
  return result.siblings.map((sibling) => `{ ${sibling.value.items.join(', ')} }`).join('  and  ');
}

export function introduce({ nodes }: DemoCluster): void {
  heading('Three nodes: each key has N = 3 copies, W = 2 make a put, R = 2 a get');
  for (const { seat, pid } of nodes) say(`  ${seat.name}  ${seat.client}  pid ${pid}  ${shown(seat.dataDir)}`);
}

export async function tour(db: Client<Cart>, cluster: DemoCluster): Promise<void> {
  await putAndGet(db, cluster);
  await conflict(db);
  await merge(db);
  await oneLess(db, cluster);
}

async function putAndGet(db: Client<Cart>, cluster: DemoCluster): Promise<void> {
  heading('A put and a get');
  const before = await db.get('cart:1');
  const put = await db.put('cart:1', { items: ['tea'] }, { context: before.context });
  const { meta } = put;
  const owners = db.preferenceList('cart:1').map(({ id }) => cluster.nameOf(id));
  await step(
    "await db.put('cart:1', { items: ['tea'] }, { context })",
    `stored by ${cluster.nameOf(meta.nodeId)}, answered when ${meta.acked} nodes had it${meta.durable ? ' on disk' : ''}, in ${meta.durationMs.toFixed(1)} ms`,
    `its copies belong to ${owners.join(', ')}`,
  );
  const got = await db.get('cart:1');
  await step(
    "await db.get('cart:1')",
    `${show(got)}, from ${cluster.nameOf(got.meta.nodeId)} when ${got.meta.acked} nodes had answered, in ${got.meta.durationMs.toFixed(1)} ms`,
  );
  note('A get also answers a context: what you have seen. A put replaces exactly that, and nothing else.');
}

async function conflict(db: Client<Cart>): Promise<void> {
  heading('Two shoppers who have both read it, and write at the same time');
  const { context } = await db.get('cart:1');
  const [anna, ben] = await Promise.all([
    db.put('cart:1', { items: ['tea', 'milk'] }, { context }),
    db.put('cart:1', { items: ['tea', 'bread'] }, { context }),
  ]);
  await step(
    'two puts with the same context, at once',
    `both accepted; ${Math.max(anna.siblingCount, ben.siblingCount)} versions now`,
  );
  await step("await db.get('cart:1')", show(await db.get('cart:1')));
  note('Neither is lost, and nobody picked a winner by the clock: you get both, and you know what they mean.');
}

async function merge(db: Client<Cart>): Promise<void> {
  heading('Merge them');
  const both = await db.get('cart:1');
  const items = [...new Set(both.found ? both.siblings.flatMap((one) => one.value.items) : [])].sort();
  await db.put('cart:1', { items }, { context: both.context });
  await step(
    `await db.put('cart:1', { items: [${items.map((item) => `'${item}'`).join(', ')}] }, { context })`,
    show(await db.get('cart:1')),
  );
  note('db.update() does all three steps; a resolver given to the client merges on every read.');
}

async function oneLess(db: Client<Cart>, cluster: DemoCluster): Promise<void> {
  const first = db.preferenceList('cart:1')[0]?.id ?? '';
  const node = cluster.nodeOf(first);
  const { name } = node.seat;
  heading(`Kill ${name}, the first owner of that key, without a word to it`);
  const { pid } = node;
  await node.kill();
  await step(`kill -9 ${pid}`, `${name} is gone`);
  await step(`${ORDERS} puts and ${ORDERS} gets meanwhile`, ...(await workWithout(db)));
  await step("await db.get('cart:1')", show(await db.get('cart:1')));
  const kept = await hintsOf(cluster);
  await step(`and what ${name} has missed?`, `${hintText(kept)}: each a promise to bring it there`);

  heading(`${name} comes back`);
  await node.start();
  await step(`partitad --data-dir ${shown(node.seat.dataDir)} …`, `${name} serves again, pid ${node.pid}`);
  await tellHints(cluster);
}

/** Lines about what became of them: nothing that failed is passed over. */
async function workWithout(db: Client<Cart>): Promise<readonly string[]> {
  const keys = Array.from({ length: ORDERS }, (_, i) => `order:${i + 1}`);
  const startedMs = performance.now();
  const puts = await Promise.allSettled(
    keys.map(async (key) => {
      const { context } = await db.get(key); // an earlier npm start may have put it
      await db.put(key, { items: [key] }, { context });
    }),
  );
  const gets = await Promise.allSettled(keys.map((key) => db.get(key)));
  const tookMs = Math.round(performance.now() - startedMs);
  const done = (of: readonly PromiseSettledResult<unknown>[]): number =>
    of.filter(({ status }) => status === 'fulfilled').length;
  const found = gets.filter((one) => one.status === 'fulfilled' && one.value.found).length;
  const failed = [...puts, ...gets].find((one) => one.status === 'rejected');
  return [
    `${done(puts)} of ${ORDERS} puts accepted, ${found} of ${ORDERS} found again, in ${tookMs} ms`,
    ...(failed === undefined ? [] : [`the first that failed: ${String(failed.reason)}`]),
  ];
}

/** How many hints each node keeps, of those that run. */
async function hintsOf({ nodes }: DemoCluster): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for (const node of nodes) {
    if (!node.running) continue;
    const status = await node.status();
    counts.set(node.seat.name, Number(status?.['hints'])); // NaN: it has not said
  }
  if (counts.size === 0) throw new Error('No node runs any more');
  return counts;
}

function hintText(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([name, count]) => `${name} keeps ${Number.isNaN(count) ? '?' : count} hints`).join(', ');
}

/** Follows them home. */
export async function tellHints(cluster: DemoCluster): Promise<void> {
  const startedMs = performance.now();
  let said = '';
  for (;;) {
    const counts = await hintsOf(cluster);
    const text = hintText(counts);
    if (text !== said) say(`    ${styleText('green', text)}`);
    said = text;
    const tookMs = performance.now() - startedMs;
    if ([...counts.values()].every((count) => count === 0)) {
      note(
        `All of them are home, ${(tookMs / 1_000).toFixed(1)} s after it was back: delivered, synced there, forgotten here.`,
      );
      return;
    }
    if (tookMs > HOME_WITHIN_MS) {
      note('They are still not home; the nodes go on trying.');
      return;
    }
    await rest(POLL_MS);
  }
}

export function howToGoOn({ nodes, folder }: DemoCluster, againAfterSeconds: number): void {
  const [one, two] = nodes as readonly [DemoNode, DemoNode];
  const server = ` --server ${one.seat.client}`;
  heading('Your turn, in another terminal');
  for (const [command, about] of [
    [`node bin/partita.cjs put greeting hello${server}`, 'store a value'],
    [`node bin/partita.cjs get greeting${server}`, 'and read it'],
    [`node bin/partita.cjs explain greeting${server}`, 'its versions, dots and clocks'],
    [`node bin/partita.cjs ring show${server}`, 'who holds what'],
    [`node bin/partita.cjs bench -c 16 -d 5${server}`, 'how fast is it here?'],
    [`kill -9 ${one.pid}`, `${one.seat.name} is gone, and back after ${againAfterSeconds} s: look here`],
    [
      `node bin/partita.cjs hints --admin unix:${shown(two.seat.dataDir)}/admin.sock`,
      `what ${two.seat.name} keeps for it meanwhile`,
    ],
  ] as const) {
    say(`  ${styleText('cyan', command.padEnd(68))} ${styleText('dim', about)}`);
  }
  say();
  for (const { seat, pid } of nodes)
    say(`${seat.name}  pid ${String(pid).padEnd(8)} ${styleText('bold', seat.client)}  ${shown(seat.dataDir)}`);
  say(`Ring and secret are in ${shown(folder)}. Ctrl-C stops them all.`);
}
