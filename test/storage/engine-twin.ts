/*
 * The dumb twin of an engine: for every key the values in the order in which they took their place, and the last that
 * was acknowledged. It also follows the Merkle leaves and scans, from what reads answer.
 */
import { leafCountOf, leafIndex, leavesEqual, toggleLeaf, WORDS_PER_LEAF } from '../../src/repair/merkle.js';
import { HASH_END_HI, type HashPlace } from '../../src/storage/scan.js';
import { partitionId } from '../../src/model/ids.js';
import { countFile } from '../../src/workers/walk.js';
import { DIGEST, HASH, type TestWrite, valueOf } from './engine-requests.js';
import { type World } from './engine-world.js';

interface Line {
  /** In the order of their places; before the first: absent. undefined: dropped. */
  values: (string | undefined)[];
  /** Writes that placed them; undefined for what an earlier life left. */
  writes: (TestWrite | undefined)[];
}

export class Twin {
  readonly #world: World;
  readonly #lines: Map<string, Line> = new Map();
  #counter = 0;

  constructor(world: World) {
    this.#world = world;
  }

  get names(): readonly string[] {
    return [...this.#lines.keys()];
  }

  /** Writes; what the engine shows as stored at that moment must be the twin's last. */
  put(name: string, bytes: number, durable = false): TestWrite {
    this.#counter += 1;
    return this.#place(name, `${name}/${this.#counter}/`.padEnd(bytes, '.'), durable);
  }

  /** Drops what is stored, if anything is. */
  drop(name: string, durable = false): TestWrite {
    return this.#place(name, undefined, durable);
  }

  #place(name: string, value: string | undefined, durable: boolean): TestWrite {
    const line = this.#line(name);
    return this.#world.write(name, value ?? null, this.#counter, durable, (stored, write) => {
      const expected = line.values.at(-1) === undefined ? 'absent' : 'ok';
      if (stored.state !== expected)
        throw new Error(`A write to ${name} saw ${stored.state} instead of ${expected}: ${stored.reason}`);
      line.values.push(value);
      line.writes.push(write);
    });
  }

  /** While the node is up a read answers what was placed last. */
  check(name: string): void {
    const before = this.#line(name).values.length;
    const read = this.#world.read(name);
    this.#world.time.runUntil(() => read.state !== 'waiting');
    const { values } = this.#line(name);
    const allowed = before === 0 ? [undefined, ...values] : values.slice(before - 1);
    const got = read.state === 'ok' ? read.value : undefined;
    if (read.state === 'unknown') throw new Error(`${name} is unknown: ${read.reason}`);
    if (!allowed.includes(got)) throw new Error(`${name} reads as ${short(got)}, expected ${short(allowed.at(-1))}`);
  }

  /** The same for a read that is answered at once; others are left to themselves. */
  peek(name: string): void {
    const { values } = this.#line(name);
    const read = this.#world.read(name);
    if (read.state === 'waiting') return;
    const got = read.state === 'ok' ? read.value : undefined;
    if (got !== values.at(-1))
      throw new Error(`${name} reads as ${short(got)} within the turn, expected ${short(values.at(-1))}`);
  }

  /** The node came up again: the last acknowledged value or one placed after it is there, and from now on that one. */
  settle(unknownAllowed: ReadonlySet<number> = new Set()): void {
    for (const [name, line] of this.#lines) {
      const read = this.#world.get(name);
      if (read.state === 'unknown' && unknownAllowed.has(this.#world.partitionOf(name))) continue;
      if (read.state === 'unknown') throw new Error(`${name} is unknown after a restart: ${read.reason}`);
      // What was acknowledged as merely buffered survives the process, not the machine.
      const safe = (write: TestWrite): boolean =>
        write.state === 'acked' && (write.ackedDurable || !this.#world.lostPower);
      const acked = line.writes.findLastIndex((write) => write === undefined || safe(write));
      const allowed = acked < 0 ? [undefined, ...line.values] : line.values.slice(acked);
      const got = read.state === 'ok' ? read.value : undefined;
      if (!allowed.includes(got)) {
        throw new Error(
          `${name} reads as ${short(got)} after a restart; acknowledged was ${short(line.values[acked])} of ${line.values.map(short).join(' ')}`,
        );
      }
      line.values = got === undefined ? [] : [got];
      line.writes = got === undefined ? [] : [undefined];
    }
    this.#world.lostPower = false;
  }

  /** Live leaves are those of what reads find, and scans show it; stored leaves are those of the files. */
  checkLeaves(): void {
    const { partitionCount } = this.#world;
    const leafCount = leafCountOf(partitionCount);
    const expected = new Map<number, Uint32Array>();
    const shown = new Map<number, string[]>();
    for (const name of this.#lines.keys()) {
      const read = this.#world.get(name);
      const leaves = expected.get(read.partition) ?? new Uint32Array(leafCount * WORDS_PER_LEAF);
      expected.set(read.partition, leaves);
      const there = shown.get(read.partition) ?? [];
      shown.set(read.partition, there);
      if (read.state === 'ok') there.push(`${name}=${read.value}`);
      if (read.state === 'ok') toggleLeaf(leaves, leafIndex(read.hashHi, leafCount), read.leafHi, read.leafLo, 1);
    }
    for (const [partition, leaves] of expected) {
      if (!leavesEqual(this.#world.up().liveTree(partition).all(), leaves))
        throw new Error(`Live leaves of partition ${partition} differ`);
      this.checkFile(partition);
      const scanned = this.#scan(partition);
      if (scanned.sort().join() !== shown.get(partition)?.sort().join())
        throw new Error(`A scan of partition ${partition} shows ${scanned.map(short).join(' ')}`);
    }
  }

  /** All that a partition holds, in batches of a few. */
  #scan(partition: number): string[] {
    const seen: string[] = [];
    let next: HashPlace | null = { hi: 0, lo: 0 };
    while (next !== null) {
      const from: HashPlace = next;
      let isEnded = false;
      this.#world.up().scan({
        partition: partitionId(partition, this.#world.partitionCount),
        fromHi: from.hi,
        fromLo: from.lo,
        untilHi: HASH_END_HI,
        untilLo: 0,
        recordsMax: 3,
        bytesMax: 5_000,
        onRecord: (stored, key) => {
          if (stored.state !== 'ok') throw new Error(`A scan met ${stored.reason}`);
          seen.push(`${Buffer.from(key).toString('latin1')}=${valueOf(stored)}`);
        },
        onEnd: (after, failure) => {
          if (failure !== null) throw new Error(failure.text);
          isEnded = true;
          next = after;
        },
      });
      this.#world.time.runUntil(() => isEnded);
    }
    return seen;
  }

  /** What the scrubber says of a file. */
  checkFile(partition: number): void {
    const path = this.#world.files.path(partition);
    const report = countFile({
      snapshot: (use) => use(this.#world.files.snapshotOf(path)),
      leafCount: leafCountOf(this.#world.partitionCount),
      hash: HASH,
      digest: DIGEST,
      nowMs: () => 0,
    });
    if (report.differingLeaves + report.damaged + report.unreachable > 0) {
      throw new Error(
        `Scrub of partition ${partition}: ${report.differingLeaves} leaves differ, ${report.damaged} damaged, ${report.unreachable} unreachable`,
      );
    }
  }

  #line(name: string): Line {
    let line = this.#lines.get(name);
    if (line === undefined) {
      line = { values: [], writes: [] };
      this.#lines.set(name, line);
    }
    return line;
  }
}

function short(value: string | undefined): string {
  return value === undefined ? 'absent' : value.slice(0, 24);
}
