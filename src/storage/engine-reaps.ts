/*
 * Fences and reap logs while the engine runs: an entry in the log, which acknowledgements wait for, and with the next
 * flush of the partition the same in its file, in front of the records that it speaks of.
 */
import type { Clock } from '../env/clock.js';
import type { Log } from '../env/meter.js';
import type { Hash64 } from '../model/hash.js';
import { copyBytes } from '../lib/bytes.js';
import { ContextJoin } from '../versioning/context-join.js';
import { CONTEXT_ENTRY_BYTES, contextCount, contextStart } from '../versioning/record.js';
import type { Acks } from './engine-acks.js';
import { appendDrop, appendReap } from './engine-append.js';
import type { StoredSlot } from './engine-stored.js';
import type { Ack } from './hint-storage.js';
import { LOG_KINDS, type CommitLog, type LogPlace } from './log-types.js';
import type { WriteRequest } from './storage.js';
import type { Partition } from './partition.js';
import {
  decodeReap,
  encodeFence,
  encodeReap,
  reapName,
  reapPrefix,
  REAP_PREFIX,
  sealed,
  unsealed,
} from './reap-format.js';
import type { FenceState, ReapEntry, Reaping, ReapPage, ReapStorage } from './reap-storage.js';
import { bookkeepingKey, keyName } from './storage-key.js';
import type { WriteBuffer } from './write-buffer.js';

/** Entries of the file that one look goes through. */
const PAGE_ENTRIES = 256;
/** Those of one key: it is reaped once in a while. */
const KEY_ENTRIES = 64;
const NAME_AT = 9;
const NO_KEY = new Uint8Array(0);

export interface ReapParts {
  readonly clock: Clock;
  readonly hash: Hash64;
  readonly log: Log;
  readonly acks: Acks;
  readonly buffer: WriteBuffer<Partition>;
  readonly partitions: readonly Partition[];
  /** False: nothing more is appended. */
  isOpen(): boolean;
  /** Something is to be flushed. */
  onAppended(): void;
}

export class EngineReaps implements ReapStorage {
  readonly #parts: ReapParts;
  readonly #log: CommitLog;
  readonly #join: ContextJoin = new ContextJoin();

  constructor(parts: ReapParts, log: CommitLog) {
    this.#parts = parts;
    this.#log = log;
  }

  stampOf(partition: number): number {
    return this.#at(partition).fence.stamp;
  }

  floorOf(partition: number): number {
    return this.#at(partition).fence.floor;
  }

  reapedAt(partition: number): number {
    return this.#at(partition).fence.reapedAt;
  }

  trimmedAt(partition: number): number {
    return this.#at(partition).fence.trimmedAt;
  }

  refuseBelow(partition: number, floor: number): void {
    const { fence } = this.#at(partition);
    fence.floor = Math.max(fence.floor, floor);
  }

  raise(id: number, state: FenceState, ack: Ack): void {
    if (!this.#parts.isOpen()) return;
    const partition = this.#at(id);
    partition.fence.asked(state);
    const lsn = this.#appendFence(partition);
    this.#parts.acks.pushDurable(
      {
        durable: true,
        onWritten: (durable) => {
          partition.fence.stamp = Math.max(partition.fence.stamp, state.fence);
          ack.onWritten(durable);
        },
      },
      lsn,
    );
  }

  learn(id: number, learnt: ReapEntry): void {
    if (!this.#parts.isOpen()) return;
    const partition = this.#at(id);
    const entry = this.#joined(partition, learnt);
    const body = encodeReap(entry, NO_KEY);
    const { chunk, at, lsn } = this.#log.append(LOG_KINDS.reap, id, body.length);
    chunk.bytes.set(body, at);
    this.#parts.buffer.touch(partition, lsn, this.#parts.clock.monotonicMs());
    noteReap(partition, entry, this.#parts.hash);
    this.#parts.onAppended();
  }

  /** The record goes; if it is reaped, its entry comes with it. */
  appendDrop(partition: Partition, request: WriteRequest, slot: StoredSlot): LogPlace {
    const { reaping } = request;
    if (reaping === undefined || slot.state !== 'ok') return appendDrop(this.#log, request);
    const entry = this.#entryFor(partition, request, reaping, slot);
    const place = appendReap(this.#log, request, entry);
    noteReap(partition, entry, this.#parts.hash);
    return place;
  }

  #entryFor(
    partition: Partition,
    { hashHi, hashLo }: Pick<ReapEntry, 'hashHi' | 'hashLo'>,
    { fence, atMs }: Reaping,
    slot: StoredSlot,
  ): ReapEntry {
    const { bytes, start } = slot;
    const from = contextStart(bytes, start);
    const context = copyBytes(bytes, from, from + CONTEXT_ENTRY_BYTES * contextCount(bytes, start));
    return this.#joined(partition, { hashHi, hashLo, fence, atMs, context });
  }

  entriesOf(id: number, hashHi: number, hashLo: number): readonly ReapEntry[] {
    const partition = this.#at(id);
    if (partition.fence.reapedAt === 0) return [];
    const prefix = reapPrefix(hashHi, hashLo);
    const entries = this.#unflushed(partition, prefix);
    const names = new Set(entries.map(reapName));
    for (const { key, value } of partition.file?.scan(bookkeepingKey(prefix), KEY_ENTRIES) ?? []) {
      const name = keyName(key, NAME_AT, key.length);
      if (!name.startsWith(prefix)) break;
      if (names.has(name) || isGone(partition, name)) continue;
      const entry = this.#decoded(partition, value);
      if (entry !== null) entries.push(entry);
    }
    return entries;
  }

  since(id: number, fence: number, after: string): ReapPage {
    const partition = this.#at(id);
    // What is not in the file comes first: it may be there by the time of the next page, and behind its cursor.
    const entries = after === '' ? this.#unflushed(partition, REAP_PREFIX) : [];
    const { values, next } = page(partition, after);
    for (const { value } of values) {
      const entry = this.#decoded(partition, value);
      if (entry !== null) entries.push(entry);
    }
    return { entries: entries.filter((entry) => entry.fence > fence), next };
  }

  trim(id: number, atMs: number, after: string): string {
    const partition = this.#at(id);
    if (!this.#parts.isOpen()) return '';
    const { values, next } = page(partition, after);
    let trimmedAt = 0;
    const names: string[] = [];
    for (const { name, value } of values) {
      const entry = this.#decoded(partition, value);
      if (entry !== null && entry.atMs >= atMs) continue;
      trimmedAt = Math.max(trimmedAt, entry?.fence ?? 0);
      names.push(name);
    }
    if (names.length === 0) return next;
    const { raised, reapedAt } = partition.fence;
    partition.fence.asked({ fence: raised, reapedAt, trimmedAt });
    this.#appendFence(partition);
    for (const name of names) partition.buffer.notes.set(name, null);
    return next;
  }

  #appendFence(partition: Partition): number {
    const body = encodeFence(partition.fence.state);
    const { chunk, at, lsn } = this.#log.append(LOG_KINDS.fence, partition.id, body.length);
    chunk.bytes.set(body, at);
    const { buffer, clock, hash } = this.#parts;
    buffer.touch(partition, lsn, clock.monotonicMs());
    partition.buffer.fence = sealed(body, hash);
    this.#parts.onAppended();
    return lsn;
  }

  /** With what the log has of the very key and fence already. */
  #joined(partition: Partition, entry: ReapEntry): ReapEntry {
    const known = this.entriesOf(partition.id, entry.hashHi, entry.hashLo).find(({ fence }) => fence === entry.fence);
    if (known === undefined) return entry;
    const a = entry.context;
    const b = known.context;
    const join = this.#join;
    join.measure(a, 0, a.length / CONTEXT_ENTRY_BYTES, b, 0, b.length / CONTEXT_ENTRY_BYTES);
    const context = new Uint8Array(CONTEXT_ENTRY_BYTES * join.count);
    join.write(context, 0);
    return { ...entry, context };
  }

  #unflushed({ buffer }: Partition, prefix: string): ReapEntry[] {
    const entries = new Map<string, ReapEntry>();
    for (const notes of [buffer.frozenNotes, buffer.notes]) {
      for (const [name, value] of notes) {
        if (!name.startsWith(prefix)) continue;
        const logged = value === null ? null : decodeReap(value.subarray(0, value.length - 8));
        if (logged === null) entries.delete(name);
        else entries.set(name, logged.entry);
      }
    }
    return [...entries.values()];
  }

  #decoded(partition: Partition, value: Uint8Array): ReapEntry | null {
    const body = unsealed(value, this.#parts.hash);
    const logged = body === null ? null : decodeReap(body);
    if (logged === null) this.#parts.log.error('reap_entry_damaged', { partition: partition.id });
    return logged?.entry ?? null;
  }

  #at(id: number): Partition {
    return this.#parts.partitions[id] as Partition;
  }
}

/** The entry stands in the log: it goes to the file with the next flush, and what it says of the fence, too. */
export function noteReap({ buffer, fence }: Partition, entry: ReapEntry, hash: Hash64): void {
  fence.reaped(entry.fence);
  buffer.notes.set(reapName(entry), sealed(encodeReap(entry, NO_KEY), hash));
  buffer.fence = sealed(encodeFence(fence.state), hash);
}

/** Thrown away, and not yet in the file. */
function isGone({ buffer }: Partition, name: string): boolean {
  const active = buffer.notes.get(name);
  if (active !== undefined) return active === null;
  return buffer.frozenNotes.some(([frozen, value]) => frozen === name && value === null);
}

interface NamedValue {
  readonly name: string;
  readonly value: Uint8Array;
}

function page({ file }: Partition, after: string): { readonly values: readonly NamedValue[]; readonly next: string } {
  const scanned = file?.scan(bookkeepingKey(after === '' ? REAP_PREFIX : after), PAGE_ENTRIES) ?? [];
  const values: NamedValue[] = [];
  for (const { key, value } of scanned) {
    const name = keyName(key, NAME_AT, key.length);
    if (!name.startsWith(REAP_PREFIX)) return { values, next: '' };
    values.push({ name, value });
  }
  return { values, next: scanned.length < PAGE_ENTRIES ? '' : (values.at(-1)?.name ?? '') };
}
