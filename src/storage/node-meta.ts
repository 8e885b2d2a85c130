/*
 * node.meta: who this store is, and what must not be forgotten whatever happens to the rest.
 *
 *   body of a slot (slots.ts)
 *   offset  size  field
 *        0    16  node id
 *       16     8  opening number: of the present opening, or the last one
 *       24     8  last LSN known durable when this was written; exact after a clean stop
 *       32     8  HLC, wall part, ms since 1970
 *       40     4  HLC, logical part
 *       44     4  1: the last stop was clean, nothing was written since
 *       48     4  unclean starts in a row
 *       52     4  zero
 *       56     8  log salt: random, seeds the checksums of the commit log
 *
 * Every change is written to both slots, each synced, before it counts. So a slot that rots later takes nothing with
 * it: least of all the opening number, which must never be given out twice, because actors were minted under it. (A
 * crash between the two writes leaves an opening number that nobody has used.)
 */
import type { Disk } from '../env/disk.js';
import type { Random } from '../env/random.js';
import { readU32, readU53, fromHex, toHex, writeU32, writeU53 } from '../lib/bytes.js';
import { type Flow, run } from '../lib/flow.js';
import type { Hash64 } from '../model/hash.js';
import { nodeId, type NodeId } from '../model/ids.js';
import type { LogSalt } from './log-format.js';
import { SlotFile, type SlotKind } from './slots.js';

export const NODE_META_PATH = 'node.meta';
const KIND: SlotKind = { magic: 'partnode', format: 1, slotBytes: 4_096 };
const BODY_BYTES = 64;

export interface NodeMeta {
  readonly nodeId: NodeId;
  readonly opening: number;
  readonly lastLsn: number;
  readonly hlcMs: number;
  readonly hlcLogical: number;
  readonly clean: boolean;
  /** Starts without a clean stop before them, in a row; whoever sees 60 s of service sets it to 0. */
  readonly uncleanStarts: number;
  readonly logSalt: LogSalt;
}

export type NodeMetaChange = Partial<Omit<NodeMeta, 'nodeId' | 'opening' | 'logSalt'>>;

/** What the last stop left behind, as it was before this opening changed it. */
export interface LastStop {
  readonly opening: number;
  readonly lastLsn: number;
  readonly clean: boolean;
  /** One copy was unreadable; it has been written anew. */
  readonly oneDamaged: boolean;
}

export class NodeMetaFile {
  readonly #slots: SlotFile;
  #meta: NodeMeta;
  readonly lastStop: LastStop;
  #writing = false;
  #failed: Error | null = null;
  #waiting: ((error: Error | null) => void)[] = [];

  private constructor(slots: SlotFile, meta: NodeMeta) {
    this.#slots = slots;
    this.#meta = meta;
    this.lastStop = { opening: meta.opening, lastLsn: meta.lastLsn, clean: meta.clean, oneDamaged: slots.oneDamaged };
  }

  /**
   * Reads node.meta and makes a new opening durable: number raised, clean mark gone. null: there is no node.meta.
   * Throws SlotsDamagedError or SlotsTooNewError.
   */
  static *open(disk: Disk, hash: Hash64): Flow<NodeMetaFile | null> {
    const slots = yield* SlotFile.open(disk, hash, NODE_META_PATH, KIND, '', NODE_META_PATH);
    if (slots === null) return null;
    const file = new NodeMetaFile(slots, decode(slots.body));
    const { meta } = file;
    const uncleanStarts = meta.clean ? 0 : meta.uncleanStarts + 1;
    file.#meta = { ...meta, opening: meta.opening + 1, clean: false, uncleanStarts };
    yield* file.#write();
    return file;
  }

  /** The first opening of a new node, whose id is drawn here unless a ring has given it one. */
  static *create(disk: Disk, hash: Hash64, random: Random, given?: NodeId): Flow<NodeMetaFile> {
    const meta: NodeMeta = {
      nodeId: given ?? drawNodeId(random),
      opening: 1,
      lastLsn: 0,
      hlcMs: 0,
      hlcLogical: 0,
      clean: false,
      uncleanStarts: 0,
      logSalt: { hi: random.u32(), lo: random.u32() },
    };
    const slots = yield* SlotFile.create(disk, hash, NODE_META_PATH, KIND, '', encode(meta));
    return new NodeMetaFile(slots, meta);
  }

  /** For offline checks: changes nothing. */
  static *read(disk: Disk, hash: Hash64): Flow<NodeMeta | null> {
    const slots = yield* SlotFile.open(disk, hash, NODE_META_PATH, KIND, '', NODE_META_PATH);
    if (slots === null) return null;
    yield* slots.close();
    return decode(slots.body);
  }

  /** As it will be once all changes asked for are durable. */
  get meta(): NodeMeta {
    return this.#meta;
  }

  /** Changes fields; answers when this and every earlier change is durable. After an error no later one succeeds. */
  update(change: NodeMetaChange, done: (error: Error | null) => void): void {
    this.#meta = { ...this.#meta, ...change };
    this.#waiting.push(done);
    if (!this.#writing) this.#flush();
  }

  close(done: (error: Error | null) => void): void {
    run(this.#slots.close(), done);
  }

  #flush(): void {
    const answering = this.#waiting;
    this.#waiting = [];
    this.#writing = true;
    run(this.#write(), (error) => {
      this.#writing = false;
      for (const done of answering) done(error);
      if (this.#waiting.length > 0 && !this.#writing) this.#flush();
    });
  }

  *#write(): Flow<void> {
    if (this.#failed !== null) throw this.#failed;
    try {
      const body = encode(this.#meta);
      yield* this.#slots.write(body);
      yield* this.#slots.write(body);
    } catch (error) {
      this.#failed = new Error(`node.meta cannot be written any more: ${(error as Error).message}`, { cause: error });
      throw this.#failed;
    }
  }
}

function drawNodeId(random: Random): NodeId {
  const id = new Uint8Array(16);
  random.fill(id);
  return nodeId(toHex(id));
}

function encode(meta: NodeMeta): Uint8Array {
  const bytes = new Uint8Array(BODY_BYTES);
  bytes.set(fromHex(meta.nodeId), 0);
  writeU53(bytes, 16, meta.opening);
  writeU53(bytes, 24, meta.lastLsn);
  writeU53(bytes, 32, meta.hlcMs);
  writeU32(bytes, 40, meta.hlcLogical);
  writeU32(bytes, 44, meta.clean ? 1 : 0);
  writeU32(bytes, 48, meta.uncleanStarts);
  writeU32(bytes, 56, meta.logSalt.hi);
  writeU32(bytes, 60, meta.logSalt.lo);
  return bytes;
}

function decode(bytes: Uint8Array): NodeMeta {
  return {
    nodeId: nodeId(toHex(bytes.subarray(0, 16))),
    opening: readU53(bytes, 16),
    lastLsn: readU53(bytes, 24),
    hlcMs: readU53(bytes, 32),
    hlcLogical: readU32(bytes, 40),
    clean: readU32(bytes, 44) === 1,
    uncleanStarts: readU32(bytes, 48),
    logSalt: { hi: readU32(bytes, 56), lo: readU32(bytes, 60) },
  };
}
