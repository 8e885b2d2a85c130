/*
 * Is it worth moving a partition as a file? The same partition goes from one store to another as its file, and record by
 * record as anti-entropy would bring it (in the best case: without its questions, in large batches). Both stores are real
 * ones on this disk, the receiver a process of its own; what counts is the CPU time of both, since wall time is the other
 * people's on this machine.
 *
 * Then the receiver is killed when 90 % have come, and goes on in a new process.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { RealDisk } from '../../src/disk/real-disk.js';
import { partitionId } from '../../src/model/ids.js';
import { SLOT_LIMITS, TransferDonor } from '../../src/node/cluster/transfer-donor.js';
import { TransferServer } from '../../src/node/cluster/transfer-server.js';
import { HASH_END_HI, type HashPlace } from '../../src/storage/scan.js';
import { close, type Node, open, TIMERS, write } from '../storage/engine-real-world.js';
import { HASH, place } from '../storage/engine-requests.js';
import { silentLog } from '../support/silent.js';
import type { FromChild, ToChild } from '../support/transfer-child.js';
import { serveTransfer } from '../support/transfer-session.js';
import type { Proof } from './proof.js';

const PARTITION = 3;
const PARTITIONS = 16;
const VALUE_BYTES = 400;
const UNDER_WAY = 256;
const REFUSED_PAUSE_MS = 100;
const BATCH_RECORDS = 1_000;
const BATCH_BYTES = 262_144;
const KILLED_AT = 0.9;
/** The chunk that was under way comes again. */
const AGAIN_MAX = 0.1;
const CHUNK_BYTES = 1_048_576;
const CHILD = fileURLToPath(new URL('../support/transfer-child.js', import.meta.url));

interface Outcome {
  readonly result: string;
  readonly seconds: number;
  readonly childMs: number;
  readonly parentMs: number;
  readonly root: string;
}

async function fill(node: Node, count: number): Promise<void> {
  const written = async (name: string): Promise<void> => {
    for (;;) {
      try {
        await write(node.engine, name, `${name} `.padEnd(VALUE_BYTES, '.'), 1);
        return;
      } catch (error) {
        if (!(error instanceof Error && error.message.includes('write buffer'))) throw error;
        await rest(REFUSED_PAUSE_MS);
      }
    }
  };
  let begun = 0;
  let next = 0;
  const one = async (): Promise<void> => {
    while (begun < count) {
      const name = `key ${next++}`;
      if (place(Buffer.from(name), PARTITIONS).partition !== PARTITION) continue;
      begun += 1;
      await written(name);
    }
  };
  await Promise.all(Array.from({ length: UNDER_WAY }, one));
  await new Promise<void>((resolve) => {
    node.engine.flush(resolve);
  });
}

const cpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
};

function newFolder(parent: string, name: string): string {
  const folder = join(parent, name);
  mkdirSync(folder);
  return folder;
}

/** Runs a receiver until it is done, or has gone. */
function receive(
  folder: string,
  opening: number,
  how: 'file' | 'records',
  serve: (child: ChildProcess, message: FromChild) => void,
): Promise<Outcome | null> {
  const startedMs = performance.now();
  const before = cpuMs();
  const child = fork(CHILD, [folder, String(opening), how], { serialization: 'advanced' });
  return new Promise((resolve, reject) => {
    let outcome: Outcome | null = null;
    child.on('message', (message: FromChild) => {
      if (message.kind !== 'done') {
        serve(child, message);
        return;
      }
      const { result, root } = message;
      const seconds = (performance.now() - startedMs) / 1_000;
      outcome = { result, seconds, childMs: message.cpuMs, parentMs: cpuMs() - before, root: root.join() };
    });
    child.on('error', reject);
    child.on('exit', () => {
      resolve(outcome);
    });
  });
}

function tell(child: ChildProcess, message: ToChild): void {
  if (child.connected) child.send(message);
}

function byFile(
  folder: string,
  opening: number,
  donor: TransferDonor,
  isEnough: () => boolean,
): Promise<Outcome | null> {
  return receive(folder, opening, 'file', (child, message) => {
    if (message.kind !== 'ask') return;
    if (isEnough()) {
      child.kill('SIGKILL');
      return;
    }
    serveTransfer(new TransferServer(donor), message.frame, message.body, (body, refusal) => {
      tell(child, { kind: 'answer', id: message.id, body, refusal });
    });
  });
}

function byRecords(folder: string, node: Node): Promise<Outcome | null> {
  let next: HashPlace | null = { hi: 0, lo: 0 };
  return receive(folder, 1, 'records', (child) => {
    if (next === null) {
      tell(child, { kind: 'end' });
      return;
    }
    const records: Uint8Array[] = [];
    node.engine.scan({
      partition: partitionId(PARTITION, PARTITIONS),
      fromHi: next.hi,
      fromLo: next.lo,
      untilHi: HASH_END_HI,
      untilLo: 0,
      recordsMax: BATCH_RECORDS,
      bytesMax: BATCH_BYTES,
      onRecord: ({ bytes, start, end }) => {
        records.push(bytes.slice(start, end));
      },
      onEnd: (after, failure) => {
        if (failure !== null) throw new Error(failure.text);
        next = after;
        tell(child, { kind: 'records', bytes: Buffer.concat(records) });
      },
    });
  });
}

function text(name: string, outcome: Outcome | null): string {
  if (outcome === null) return `${name}: the receiver has gone`;
  const { result, seconds, childMs, parentMs } = outcome;
  return `${name}: ${result}, ${Math.round(childMs)} ms of CPU at the receiver and ${Math.round(parentMs)} ms at the donor, ${seconds.toFixed(1)} s`;
}

const totalMs = (outcome: Outcome | null): number =>
  (outcome?.childMs ?? Number.NaN) + (outcome?.parentMs ?? Number.NaN);

export const prove: Proof = {
  name: 'transfer',
  question: 'Does a partition move for less as a file than record by record, and goes on where it was after a kill -9?',
  async run({ full, print }) {
    const alive = setInterval(() => undefined, 1_000); // a store's timers keep no process alive
    const parent = mkdtempSync(join(tmpdir(), 'partita-transfer-'));
    const folder = newFolder(parent, 'donor');
    const node = await open(folder, 1, 0);
    const donor = new TransferDonor({
      moves: node.engine.moves,
      disk: new RealDisk(folder),
      timers: TIMERS,
      log: silentLog,
      opening: 1,
      limits: SLOT_LIMITS,
      nowMs: () => performance.now(),
      refusal: () => '',
    });
    try {
      const count = full ? 400_000 : 40_000;
      await fill(node, count);
      const root = [...node.engine.liveTree(PARTITION).root(HASH)].join();
      const file = await byFile(newFolder(parent, 'file'), 1, donor, () => false);
      const bytes = donor.bytesGiven;
      print(`${count} records of some ${VALUE_BYTES} bytes: a file of ${(bytes / 2 ** 20).toFixed(1)} MiB`);
      print(text('as a file', file));
      const records = await byRecords(newFolder(parent, 'records'), node);
      print(text('record by record', records));

      const killed = newFolder(parent, 'killed');
      const before = donor.bytesGiven;
      const none = await byFile(killed, 1, donor, () => donor.bytesGiven - before >= KILLED_AT * bytes);
      const given = donor.bytesGiven - before;
      const again = await byFile(killed, 2, donor, () => false);
      const more = donor.bytesGiven - before - given;
      print(text(`killed after ${Math.round((100 * given) / bytes)} %, and again`, again));
      print(
        `${(more / 2 ** 20).toFixed(1)} MiB came after the kill, ${((given + more - bytes) / 2 ** 20).toFixed(1)} MiB of them twice`,
      );

      const isWhole = [file, records, again].every((outcome) => outcome?.root === root);
      const isCheaper = totalMs(file) < totalMs(records);
      const isResumed = none === null && more <= AGAIN_MAX * bytes + CHUNK_BYTES;
      if (!isWhole) print('not all of the receivers hold what the donor holds');
      const share = totalMs(records) / totalMs(file);
      return {
        held: isWhole && isCheaper && isResumed,
        summary: `a file of ${(bytes / 2 ** 20).toFixed(1)} MiB takes ${Math.round(totalMs(file))} ms of CPU, its records ${Math.round(totalMs(records))} ms (${share.toFixed(1)} times as much); after a kill -9 at ${Math.round((100 * given) / bytes)} % ${((100 * more) / bytes).toFixed(1)} % were fetched`,
      };
    } finally {
      clearInterval(alive);
      donor.stop();
      await close(node);
      rmSync(parent, { recursive: true, force: true });
    }
  },
};
