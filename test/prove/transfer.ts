/*
 * Is it worth moving a partition as a file? The same partition goes from one store to another as its file, and record by
 * record as anti-entropy would bring it (in the best case: without its questions, in large batches). Both stores are real
 * ones on this disk, the receiver is a process of its own, and between them is a connection as members have it, over
 * loopback. What counts is the CPU time of both from the moment in which both stores are open: wall time is the other
 * people's on this machine, and starting a process is not moving a partition.
 *
 * How fast it is, is compared with the least that a safe copy takes: the same bytes over a bare socket, read from a file,
 * checked a megabyte at a time, written and synced. That is wall time, so the two take turns.
 *
 * Then the receiver is killed when 90 % have come, and goes on in a new process.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { createReadStream, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { RealDisk } from '../../src/disk/real-disk.js';
import { partitionId } from '../../src/model/ids.js';
import { PIECE_BYTES_MAX, PIECES_MAX } from '../../src/model/transfer-messages.js';
import { SLOT_LIMITS, TransferDonor } from '../../src/node/cluster/transfer-donor.js';
import { TransferServer } from '../../src/node/cluster/transfer-server.js';
import type { Incoming } from '../../src/node/incoming.js';
import { replyTailed } from '../../src/node/replies.js';
import type { Session } from '../../src/node/session.js';
import { HASH_END_HI, type HashPlace } from '../../src/storage/scan.js';
import { PULL, PULL_REPLY, TRANSFER_CHUNK } from '../../src/wire/kinds.js';
import { close, type Node, open, TIMERS, write } from '../storage/engine-real-world.js';
import { HASH, place } from '../storage/engine-requests.js';
import { silentLog } from '../support/silent.js';
import type { FromChild } from '../support/transfer-child.js';
import { serveDonor } from '../support/transfer-link.js';
import type { Proof } from './proof.js';

const PARTITION = 3;
const PARTITIONS = 16;
const VALUE_BYTES = 400;
const UNDER_WAY = 256;
const REFUSED_PAUSE_MS = 100;
const BATCH_RECORDS = 1_000;
const BATCH_BYTES = 262_144;
const KILLED_AT = 0.9;
/** The bars of the long form, where what a process pays once weighs little. */
const CPU_TIMES_LEAST = 5;
const STREAM_SHARE_LEAST = 0.6;
const WHOLE_SHARE_LEAST = 0.35;
const AGAIN_SHARE_MAX = 0.15;
/** What was under way comes again, and the short form's file has few pieces. */
const AGAIN_BYTES = (PIECES_MAX + 1) * PIECE_BYTES_MAX;
const PLAIN_ROUNDS = 2;
const CHILD = fileURLToPath(new URL('../support/transfer-child.js', import.meta.url));

interface Outcome {
  readonly result: string;
  readonly ms: number;
  readonly streamMs: number;
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
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Runs a receiver until it is done, or has gone. */
function receive(args: readonly (string | number)[], onChild: (child: ChildProcess) => void): Promise<Outcome | null> {
  const child = fork(CHILD, args.map(String), { serialization: 'advanced' });
  onChild(child);
  let before = 0;
  return new Promise((resolve, reject) => {
    let outcome: Outcome | null = null;
    child.on('message', (message: FromChild) => {
      if (message.kind === 'ready') {
        before = cpuMs();
        child.send('begin');
        return;
      }
      const { result, ms, streamMs, root } = message;
      outcome = { result, ms, streamMs, childMs: message.cpuMs, parentMs: cpuMs() - before, root: root.join() };
    });
    child.on('error', reject);
    child.on('exit', () => {
      resolve(outcome);
    });
  });
}

/** What the donor's peer listener does: it gives files, and records a batch after the other. */
class Donor {
  readonly #node: Node;
  readonly #server: TransferServer;
  #next: HashPlace | null = { hi: 0, lo: 0 };
  child: ChildProcess | null = null;
  isEnough: () => boolean = () => false;

  constructor(node: Node, donor: TransferDonor) {
    this.#node = node;
    this.#server = new TransferServer(donor);
  }

  readonly serve = (session: Session, frame: Incoming): void => {
    if (frame.kind === TRANSFER_CHUNK && this.isEnough()) {
      this.child?.kill('SIGKILL');
      session.finish(frame.bodyBytes);
    } else if (frame.kind === PULL) this.#records(session, frame);
    else if (!this.#server.serve(session, frame)) throw new Error(`A frame of kind ${frame.kind}`);
  };

  #records(session: Session, { requestId, bodyBytes }: Incoming): void {
    const records: Uint8Array[] = [];
    const answer = (): void => {
      replyTailed(session, PULL_REPLY, requestId, new Uint8Array(0), Buffer.concat(records));
      session.finish(bodyBytes);
    };
    if (this.#next === null) return answer();
    this.#node.engine.scan({
      partition: partitionId(PARTITION, PARTITIONS),
      fromHi: this.#next.hi,
      fromLo: this.#next.lo,
      untilHi: HASH_END_HI,
      untilLo: 0,
      recordsMax: BATCH_RECORDS,
      bytesMax: BATCH_BYTES,
      onRecord: ({ bytes, start, end }) => {
        records.push(bytes.slice(start, end));
      },
      onEnd: (after, failure) => {
        if (failure !== null) throw new Error(failure.text);
        this.#next = after;
        answer();
      },
    });
  }
}

/** The file once more, over a bare socket. */
async function plainly(folder: string, path: string, bytes: number): Promise<Outcome | null> {
  const server = createServer((socket) => {
    createReadStream(path, { highWaterMark: PIECE_BYTES_MAX }).pipe(socket);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const outcome = await receive([folder, 1, 'plain', port, bytes], () => undefined);
  server.close();
  return outcome;
}

function copyOf(node: Node, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    node.engine.moves.copyFile(PARTITION, path, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

function text(name: string, outcome: Outcome | null): string {
  if (outcome === null) return `${name}: the receiver has gone`;
  const { result, ms, childMs, parentMs } = outcome;
  return `${name}: ${result}, ${Math.round(childMs)} ms of CPU at the receiver and ${Math.round(parentMs)} ms at the donor, ${Math.round(ms)} ms`;
}

const totalMs = (outcome: Outcome | null): number =>
  (outcome?.childMs ?? Number.NaN) + (outcome?.parentMs ?? Number.NaN);
const percent = (share: number): string => `${Math.round(100 * share)} %`;
const mebi = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);

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
    const serving = new Donor(node, donor);
    const { address, stop } = await serveDonor(serving.serve);
    const fetched = (name: string, how: 'file' | 'records', opening = 1): Promise<Outcome | null> =>
      receive([newFolder(parent, name), opening, how, address], (child) => {
        serving.child = child;
      });
    try {
      const count = full ? 400_000 : 40_000;
      await fill(node, count);
      const root = [...node.engine.liveTree(PARTITION).root(HASH)].join();
      const plain: (Outcome | null)[] = [];
      const path = join(folder, 'plain');
      await copyOf(node, 'plain');
      const size = statSync(path).size;
      const file = await fetched('file', 'file');
      const bytes = donor.bytesGiven;
      for (let round = 1; round <= PLAIN_ROUNDS; round++) {
        plain.push(await plainly(newFolder(parent, `plain ${round}`), path, size));
      }
      print(`${count} records of some ${VALUE_BYTES} bytes: a file of ${mebi(bytes)} MiB`);
      print(text('as a file', file));
      for (const outcome of plain) print(text('its bytes over a bare socket', outcome));
      const records = await fetched('records', 'records');
      print(text('record by record', records));

      serving.isEnough = () => donor.bytesGiven - bytes >= KILLED_AT * bytes;
      const none = await fetched('killed', 'file');
      serving.isEnough = () => false;
      const given = donor.bytesGiven - bytes;
      const again = await fetched('killed', 'file', 2);
      const more = donor.bytesGiven - bytes - given;
      print(text(`killed after ${percent(given / bytes)}, and again`, again));
      print(`${mebi(more)} MiB came after the kill, ${mebi(given + more - bytes)} MiB of them twice`);

      const isWhole = [file, records, again].every((outcome) => outcome?.root === root);
      if (!isWhole) print('not all of the receivers hold what the donor holds');
      const plainMs = Math.min(...plain.map((outcome) => outcome?.ms ?? Number.NaN));
      const times = totalMs(records) / totalMs(file);
      const stream = plainMs / (file?.streamMs ?? Number.NaN);
      const whole = plainMs / (file?.ms ?? Number.NaN);
      const isCheap = times >= (full ? CPU_TIMES_LEAST : 1);
      const isFast = !full || (stream >= STREAM_SHARE_LEAST && whole >= WHOLE_SHARE_LEAST);
      const isResumed =
        none === null && more <= Math.max(AGAIN_SHARE_MAX * bytes, (1 - KILLED_AT) * bytes + AGAIN_BYTES);
      return {
        held: isWhole && isCheap && isFast && isResumed,
        summary: `a file of ${mebi(bytes)} MiB takes ${Math.round(totalMs(file))} ms of CPU, its records ${Math.round(totalMs(records))} ms (${times.toFixed(1)} times as much); it comes at ${percent(stream)} of the rate of a bare copy, at ${percent(whole)} from the first question to the store; after a kill -9 at ${percent(given / bytes)} ${((100 * more) / bytes).toFixed(1)} % were fetched`,
      };
    } finally {
      clearInterval(alive);
      stop();
      donor.stop();
      await close(node);
      rmSync(parent, { recursive: true, force: true });
    }
  },
};
