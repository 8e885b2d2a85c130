/*
 * What a node has had to do: requests and bytes of each partition, in windows of half an hour, as the paper looked at its
 * nodes (§6.2, figure 6), and the keys that were asked for most.
 *
 * Two things are counted. A *request* is a get or put of a client that this node has coordinated. A *read* or *write* is
 * what the store has done for one, here or for another coordinator: the load that placement has to spread, N times a put
 * and R times a get or more. Repairs, hints that come home and moves are background work, and are not counted.
 *
 * Counting is on the path of every get and put: an addition or two in an array that is there, no time is asked for. The
 * node's own timer ends a window. Keys are sampled, one request in SAMPLING by chance: a sketch of all of them would cost
 * more than the rest together, and the keys that matter are found as well (docs/decisions.md has the figures).
 *
 *   counts   partition 0: requests reads writes bytesRead bytesWritten │ partition 1: requests …
 *
 * Memory: 5 × 8 bytes a partition for the window under way, 5 × 4 for each that has ended (a float has 24 bits, which is
 * more than a report shows). With 256 partitions and 48 windows 250 kB, with the 4,096 that there can be 4 MB.
 */
import { Prng } from '../lib/prng.js';
import type { KeyLoad, LoadReport, PartitionLoad, WindowLoad } from '../model/load-messages.js';
import { SpaceSaving } from './space-saving.js';

export const WINDOW_MS = 1_800_000;
/** A day, with the one under way. */
export const WINDOWS_MAX = 48;
const SAMPLING = 8;
const KEYS_WATCHED = 512;
const KEYS_KEPT = 64;
const KEY_BYTES_KEPT = 128;

const FIELDS = 5;
const READS = 1;
const WRITES = 2;
const BYTES_READ = 3;
const BYTES_WRITTEN = 4;

type Sums = Float64Array | Float32Array;

interface EndedWindow {
  readonly load: WindowLoad;
  readonly counts: Float32Array;
  readonly keys: readonly KeyLoad[];
}

export class LoadCounters {
  readonly #counts: Float64Array;
  readonly #sketch: SpaceSaving = new SpaceSaving(KEYS_WATCHED, KEY_BYTES_KEPT);
  /** Of its own: what is drawn for a sample must not change what a simulation draws. */
  readonly #prng: Prng = new Prng(1);
  /** The oldest first. */
  readonly #ended: EndedWindow[] = [];
  #untilSample = 1;
  #fromMs: number;

  constructor(partitionCount: number, wallMs: number) {
    this.#counts = new Float64Array(partitionCount * FIELDS);
    this.#fromMs = wallMs;
  }

  /** A get or put of a client is coordinated here. */
  requested(partition: number, hashHi: number, hashLo: number, key: Uint8Array): void {
    const counts = this.#counts;
    counts[partition * FIELDS] = (counts[partition * FIELDS] as number) + 1;
    this.#untilSample -= 1;
    if (this.#untilSample > 0) return;
    this.#untilSample = 1 + this.#prng.int(2 * SAMPLING - 1);
    this.#sketch.note(hashHi, hashLo, key);
  }

  read(partition: number, bytes: number): void {
    const counts = this.#counts;
    const at = partition * FIELDS;
    counts[at + READS] = (counts[at + READS] as number) + 1;
    counts[at + BYTES_READ] = (counts[at + BYTES_READ] as number) + bytes;
  }

  wrote(partition: number, bytes: number): void {
    const counts = this.#counts;
    const at = partition * FIELDS;
    counts[at + WRITES] = (counts[at + WRITES] as number) + 1;
    counts[at + BYTES_WRITTEN] = (counts[at + BYTES_WRITTEN] as number) + bytes;
  }

  /** Ends the window if its time is over. A clock that is put back lengthens it. */
  roll(wallMs: number): void {
    if (windowOf(wallMs) <= windowOf(this.#fromMs)) return;
    const toMs = (windowOf(this.#fromMs) + 1) * WINDOW_MS;
    this.#ended.push({ load: this.#sum(toMs), counts: Float32Array.from(this.#counts), keys: this.#keys() });
    this.#counts.fill(0);
    this.#sketch.clear();
    this.#fromMs = windowOf(wallMs) * WINDOW_MS;
    const oldest = windowOf(wallMs) - WINDOWS_MAX;
    while (this.#ended.length > 0 && windowOf(this.#ended[0]?.load.fromMs ?? 0) <= oldest) this.#ended.shift();
  }

  /** `windows`: how many of them the partitions and keys are summed up over, the one under way among them. */
  report(windows: number, wallMs: number): LoadReport {
    this.roll(wallMs);
    const oldest = windowOf(this.#fromMs) - windows;
    const meant = this.#ended.filter(({ load }) => windowOf(load.fromMs) > oldest);
    const now = this.#sum(Math.max(wallMs, this.#fromMs));
    return {
      windows: [...this.#ended.map(({ load }) => load), now],
      partitions: partitionsOf([...meant.map(({ counts }) => counts), this.#counts]),
      keys: mergeKeys([...meant.map(({ keys }) => keys), this.#keys()]).slice(0, KEYS_KEPT),
      sampling: SAMPLING,
    };
  }

  #sum(toMs: number): WindowLoad {
    return { fromMs: this.#fromMs, toMs, ...countsAt([totals(this.#counts)], 0) };
  }

  #keys(): readonly KeyLoad[] {
    return this.#sketch.top(KEYS_KEPT).map(({ count, ...key }) => ({ ...key, samples: count }));
  }
}

/** Which half hour since 1970. */
export function windowOf(wallMs: number): number {
  return Math.floor(wallMs / WINDOW_MS);
}

/**
 * The same keys from several windows or nodes, added up. What a sketch does not name may have been asked for a little all
 * the same: a sum is then too low by what one would not notice.
 */
export function mergeKeys(lists: readonly (readonly KeyLoad[])[]): readonly KeyLoad[] {
  const sums = new Map<string, KeyLoad>();
  for (const key of lists.flat()) {
    const name = `${key.hashHi}/${key.hashLo}`;
    const known = sums.get(name);
    const samples = key.samples + (known?.samples ?? 0);
    sums.set(name, { ...key, samples, overcount: key.overcount + (known?.overcount ?? 0) });
  }
  return [...sums.values()].sort((a, b) => certain(b) - certain(a));
}

/** So many samples were of this key, whatever else the sketch has mixed up. */
export function certain({ samples, overcount }: KeyLoad): number {
  return samples - overcount;
}

function totals(counts: Float64Array): Float64Array {
  const sums = new Float64Array(FIELDS);
  for (let at = 0; at < counts.length; at++) {
    const field = at % FIELDS;
    sums[field] = (sums[field] as number) + (counts[at] as number);
  }
  return sums;
}

function partitionsOf(all: readonly Sums[]): readonly PartitionLoad[] {
  const count = (all[0]?.length ?? 0) / FIELDS;
  return Array.from({ length: count }, (_, partition) => ({ partition, ...countsAt(all, partition) })).filter(
    ({ requests, reads, writes }) => requests + reads + writes > 0,
  );
}

function countsAt(all: readonly Sums[], partition: number): Omit<PartitionLoad, 'partition'> {
  const sum = (field: number): number =>
    Math.round(all.reduce((total, counts) => total + (counts[partition * FIELDS + field] ?? 0), 0));
  return {
    requests: sum(0),
    reads: sum(READS),
    writes: sum(WRITES),
    bytesRead: sum(BYTES_READ),
    bytesWritten: sum(BYTES_WRITTEN),
  };
}
