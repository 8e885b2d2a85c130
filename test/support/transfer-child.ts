/*
 * A receiver of a partition in a process of its own, which can be killed: `node transfer-child.js FOLDER OPENING HOW`. Its
 * parent is the donor, and the channel between them the connection.
 *
 *   HOW file      fetches the partition's file
 *   HOW records   merges records that its parent sends
 */
import type { BodyAsker } from '../../src/node/peers/request.js';
import { FreeSlices } from '../../src/background/slices.js';
import { RealDisk } from '../../src/disk/real-disk.js';
import type { Failure } from '../../src/model/errors.js';
import type { PartitionId } from '../../src/model/ids.js';
import { PartitionTransfers } from '../../src/node/cluster/partition-transfers.js';
import type { Engine } from '../../src/storage/engine.js';
import { type Stored, WAIT_FOR_EARLIER, type WriteRequest } from '../../src/storage/storage.js';
import { MergePlan } from '../../src/versioning/merge.js';
import { checkRecord, recordBytes, recordKeyEnd, recordKeyStart } from '../../src/versioning/record.js';
import { HASH } from '../storage/engine-requests.js';
import { close, type Node, open, TIMERS } from '../storage/engine-real-world.js';
import { silentLog } from './silent.js';

export type ToChild =
  | { readonly kind: 'answer'; readonly id: number; readonly body: Uint8Array; readonly refusal: Failure | null }
  /** Of the donor's: one after the other. */
  | { readonly kind: 'records'; readonly bytes: Uint8Array }
  | { readonly kind: 'end' };

export type FromChild =
  | { readonly kind: 'ask'; readonly id: number; readonly frame: number; readonly body: Uint8Array }
  /** Give more. */
  | { readonly kind: 'taken' }
  | {
      readonly kind: 'done';
      readonly result: string;
      readonly cpuMs: number;
      readonly root: readonly number[];
    };

const PARTITION = 3 as PartitionId;
const MOVE = 77;
const REFUSED_PAUSE_MS = 20;

const merge = new MergePlan();

/** What anti-entropy does with a record, less its questions. */
class MergeRecord implements WriteRequest {
  readonly partition: PartitionId = PARTITION;
  readonly key: Uint8Array;
  readonly hashHi: number;
  readonly hashLo: number;
  readonly durable: boolean = true;
  readonly bytesHint: number;
  readonly markActorHi: number = 0;
  readonly markActorLo: number = 0;
  readonly markCounter: number = 0;
  readonly #record: Uint8Array;
  readonly #engine: Engine;
  readonly #done: () => void;
  #isNew = true;

  constructor(engine: Engine, record: Uint8Array, done: () => void) {
    this.#engine = engine;
    this.#record = record;
    this.#done = done;
    this.key = record.subarray(recordKeyStart(0), recordKeyEnd(record, 0));
    HASH.hash(this.key, 0, this.key.length);
    this.hashHi = HASH.hi;
    this.hashLo = HASH.lo;
    this.bytesHint = record.length;
  }

  decide({ bytes, start, end }: Stored): number {
    if (end === start) return this.#record.length;
    const outcome = merge.plan(bytes, start, this.#record, 0);
    if (outcome === 'same-as-a') return WAIT_FOR_EARLIER;
    this.#isNew = outcome === 'same-as-b';
    return merge.size;
  }

  encode(target: Uint8Array, at: number): void {
    if (this.#isNew) target.set(this.#record, at);
    else merge.encode(target, at, HASH);
  }

  onWritten(): void {
    this.#done();
  }

  onRefused(failure: Failure): void {
    if (failure.code !== 'OVERLOADED') throw new Error(failure.text);
    setTimeout(() => {
      this.#engine.write(this);
    }, REFUSED_PAUSE_MS);
  }
}

function say(message: FromChild): void {
  process.send?.(message);
}

async function end(node: Node, result: string): Promise<void> {
  await new Promise<void>((resolve) => {
    node.engine.flush(resolve);
  });
  const { user, system } = process.cpuUsage();
  const root = [...node.engine.liveTree(PARTITION).root(HASH)];
  await close(node);
  say({ kind: 'done', result, cpuMs: (user + system) / 1_000, root });
  process.disconnect();
}

function takeRecords(node: Node): void {
  process.on('message', (message: ToChild) => {
    if (message.kind === 'end') return void end(node, 'copied');
    if (message.kind !== 'records') return;
    const { bytes } = message;
    const records: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += recordBytes(bytes, at)) {
      records.push(bytes.slice(at, at + recordBytes(bytes, at)));
    }
    let left = records.length;
    for (const record of records) {
      if (checkRecord(record, 0, record.length, HASH, null) !== null) throw new Error('A record was damaged');
      node.engine.write(
        new MergeRecord(node.engine, record, () => {
          left -= 1;
          if (left === 0) say({ kind: 'taken' });
        }),
      );
    }
  });
  say({ kind: 'taken' });
}

function fetchFile(node: Node, folder: string): void {
  const asked = new Map<number, BodyAsker>();
  let asks = 0;
  process.on('message', (message: ToChild) => {
    if (message.kind !== 'answer') return;
    const asker = asked.get(message.id);
    asked.delete(message.id);
    if (message.refusal === null) asker?.onAnswered(1, 0, message.body, 0, message.body.length);
    else asker?.onRefused(1, 0, message.refusal);
  });
  const ask = (kind: number, body: Uint8Array, _timeoutMs: number, asker: BodyAsker): boolean => {
    asks += 1;
    asked.set(asks, asker);
    say({ kind: 'ask', id: asks, frame: kind, body });
    return true;
  };
  const transfers = new PartitionTransfers({
    links: { bulk: () => ({ ask }) },
    moves: node.engine.moves,
    disk: new RealDisk(folder),
    timers: TIMERS,
    slices: new FreeSlices(TIMERS),
    log: silentLog,
    hash: HASH,
    nowMs: () => performance.now(),
    fenceOf: () => 0,
  });
  transfers.fetch(PARTITION, 1, MOVE, (result) => {
    void end(node, result.kind === 'installed' ? 'installed' : result.text);
  });
}

if (process.send !== undefined) {
  const [folder = '', opening = '1', how = 'file'] = process.argv.slice(2);
  const node = await open(folder, Number(opening), 0, false);
  if (how === 'file') fetchFile(node, folder);
  else takeRecords(node);
}
