/* The receiver against a donor that breaks off, lies, forgets and comes back: what is installed is what was offered. */
import test from 'ava';
import xxhash from 'xxhash-wasm';
import { Prng } from '../../src/lib/prng.js';
import { writeU32 } from '../../src/lib/bytes.js';
import { hash64From } from '../../src/model/hash.js';
import { PIECE_BYTES_MAX, PIECES_MAX, type TransferOpenReply } from '../../src/model/transfer-messages.js';
import {
  FileReceiver,
  isDigest,
  isSameFile,
  receivedName,
  type ReceiverEffect,
  type ReceiverEvent,
  type TransferResult,
} from '../../src/transfer/file-receiver.js';

const HASH = hash64From(await xxhash());
const PATIENCE_MS = 20_000;

interface Given {
  readonly offer: TransferOpenReply;
  readonly bytes: Uint8Array;
}

function given(random: Prng, size: number, chunkBytes: number, opening: number, fence = 4): Given {
  const bytes = new Uint8Array(size);
  random.fill(bytes);
  const chunks = Math.ceil(size / chunkBytes);
  const digests = new Uint8Array(8 * chunks);
  for (let chunk = 0; chunk < chunks; chunk++)
    digestInto(bytes.subarray(chunk * chunkBytes, (chunk + 1) * chunkBytes), digests, 8 * chunk);
  const digest = new Uint8Array(8);
  digestInto(digests, digest, 0);
  const offer = {
    ready: true,
    opening,
    fence,
    bytes: size,
    chunkBytes,
    digests,
    digest,
    rootHi: 1,
    rootLo: 2,
    records: 7,
  };
  return { offer, bytes };
}

function digestInto(bytes: Uint8Array, target: Uint8Array, at: number): void {
  HASH.hash(bytes, 0, bytes.length);
  writeU32(target, at, HASH.hi);
  writeU32(target, at + 4, HASH.lo);
}

/** What a receiver has on its disk, which outlives it. */
interface Disk {
  kept: { readonly offer: TransferOpenReply; readonly bytes: Uint8Array } | null;
}

interface Faults {
  readonly lost: number;
  readonly wrong: number;
  readonly notReady: number;
  /** The donor is opened anew, and copies anew. */
  readonly anew: number;
}

const NO_FAULTS: Faults = { lost: 0, wrong: 0, notReady: 0, anew: 0 };

class World {
  readonly disk: Disk = { kept: null };
  readonly random: Prng;
  donor: Given;
  nowMs = 0;
  asked = 0;
  stored = 0;
  underWayMax = 0;
  installed: Uint8Array | null = null;
  readonly #faults: Faults;

  constructor(seed: number, donor: (random: Prng) => Given, faults: Faults = NO_FAULTS) {
    this.random = new Prng(seed);
    this.donor = donor(this.random);
    this.#faults = faults;
  }

  /** A receiver's life: until it ends, or `steps` are over. What is under way is answered in any order. */
  live(steps: number = Number.POSITIVE_INFINITY, fence = 4): TransferResult | null {
    const receiver = new FileReceiver({ hash: HASH, fence, patienceMs: PATIENCE_MS });
    const underWay: ReceiverEffect[] = [];
    const begin = (effects: readonly ReceiverEffect[]): void => {
      for (const effect of effects) {
        const touchesFile = effect.kind === 'look' || effect.kind === 'seal' || effect.kind === 'end';
        if (touchesFile && underWay.some(({ kind }) => kind === 'store')) throw new Error('The file is being written');
        underWay.push(effect);
      }
      const asked = underWay.filter(({ kind }) => kind === 'ask' || kind === 'store').length;
      this.underWayMax = Math.max(this.underWayMax, asked);
    };
    begin(receiver.start(this.nowMs));
    for (let i = 0; i < steps; i++) {
      const last = underWay.find(({ kind }) => kind === 'end');
      if (last?.kind === 'end') return last.result;
      const [effect] = underWay.splice(this.random.int(underWay.length), 1);
      if (effect === undefined) throw new Error('Nothing is under way, and it has not ended');
      this.nowMs += 10;
      const event = this.#do(effect);
      if (event.kind === 'waited' && effect.kind === 'wait') this.nowMs += effect.ms;
      begin(receiver.step(event, this.nowMs));
      if (event.kind === 'piece') event.bytes.fill(0xee); // they are the connection's again
    }
    return null;
  }

  #do(effect: ReceiverEffect): ReceiverEvent {
    const { lost, wrong, notReady, anew } = this.#faults;
    switch (effect.kind) {
      case 'open':
        if (this.random.chance(lost)) return { kind: 'lost' };
        if (this.random.chance(notReady)) return { kind: 'offered', offer: { ...this.donor.offer, ready: false } };
        return { kind: 'offered', offer: this.donor.offer };
      case 'look':
        return { kind: 'found', chunks: this.#look(effect.offer) };
      case 'ask': {
        const { ask } = effect;
        if (this.random.chance(anew)) {
          const { bytes, chunkBytes, opening } = this.donor.offer;
          this.donor = given(this.random, bytes, chunkBytes, opening + 1);
        }
        this.asked += effect.length;
        if (effect.opening !== this.donor.offer.opening || this.random.chance(lost)) return { kind: 'lost', ask };
        const bytes = this.donor.bytes.slice(effect.offset, effect.offset + effect.length);
        if (this.random.chance(wrong)) bytes[this.random.int(bytes.length)] = this.random.int(256);
        if (this.random.chance(wrong)) return { kind: 'piece', ask, bytes: bytes.subarray(1) };
        return { kind: 'piece', ask, bytes };
      }
      case 'store':
        this.disk.kept?.bytes.set(effect.bytes, effect.offset);
        this.stored += effect.bytes.length;
        return { kind: 'stored', chunk: effect.chunk };
      case 'seal':
        return { kind: 'sealed' };
      case 'install':
        this.installed = (this.disk.kept as Given).bytes.slice();
        return { kind: 'installed', refusal: null };
      case 'wait':
        return { kind: 'waited' };
      case 'end':
        throw new Error('It has ended');
    }
  }

  #look(offer: TransferOpenReply): Uint8Array {
    const { kept } = this.disk;
    const chunks = new Uint8Array(offer.digests.length / 8);
    if (kept === null || !isSameFile(kept.offer, offer)) {
      this.disk.kept = { offer, bytes: new Uint8Array(offer.bytes) };
      return chunks;
    }
    for (let chunk = 0; chunk * offer.chunkBytes < offer.bytes; chunk++) {
      const piece = kept.bytes.subarray(chunk * offer.chunkBytes, (chunk + 1) * offer.chunkBytes);
      if (isDigest(piece, offer.digests, 8 * chunk, HASH)) chunks[chunk] = 1;
    }
    return chunks;
  }
}

/** Ava's own comparison takes seconds for megabytes. */
function isSame(a: Uint8Array | null, b: Uint8Array): boolean {
  return a !== null && Buffer.compare(a, b) === 0;
}

test('with nothing in the way each byte is asked for once', (t) => {
  for (const size of [1, 4_095, 4_096, 4_097, 50_000]) {
    const world = new World(size, (random) => given(random, size, 4_096, 5));
    t.deepEqual(world.live(), { kind: 'installed', bytes: size, records: 7 });
    t.true(isSame(world.installed, world.donor.bytes));
    t.is(world.asked, size);
  }
  const large = new World(1, (random) => given(random, 5_000_000, 2 * PIECE_BYTES_MAX, 5));
  t.is(large.live()?.kind, 'installed');
  t.true(isSame(large.installed, large.donor.bytes));
  t.is(large.asked, 5_000_000);
  t.is(large.underWayMax, PIECES_MAX);
});

test('whatever breaks off, and wherever either end begins anew, what is installed is one whole copy', (t) => {
  const seen = { installed: 0, lives: 0, broken: 0 };
  for (let seed = 1; seed <= 400; seed++) {
    const faults = { lost: 0.05, wrong: seed % 4 === 0 ? 0.05 : 0, notReady: 0.2, anew: seed % 3 === 0 ? 0.01 : 0 };
    const world = new World(seed, (random) => given(random, 1 + random.int(60_000), 4_096, 5), faults);
    let result: TransferResult | null = null;
    for (let lives = 0; result === null && lives < 100; lives++) {
      result = world.live(1 + world.random.int(40));
      seen.lives += 1;
      if (result?.kind === 'broken' || result?.kind === 'silent') {
        seen.broken += 1;
        result = null; // whoever decides moves asks again
      }
    }
    t.is(result?.kind, 'installed', `seed ${seed}`);
    t.true(isSame(world.installed, world.donor.bytes), `seed ${seed}`);
    seen.installed += 1;
  }
  t.true(seen.lives > 600, JSON.stringify(seen));
});

test('after a stop only what had not come is fetched', (t) => {
  const world = new World(9, (random) => given(random, 100 * 4_096, 4_096, 5));
  t.is(world.live(3 + 2 * 90), null);
  const before = world.asked;
  t.is(world.live()?.kind, 'installed');
  t.true(world.asked - before <= 11 * 4_096, `${world.asked - before}`);
  t.true(isSame(world.installed, world.donor.bytes));
});

test('what lies here of another opening, fence or copy is not gone on with', (t) => {
  for (const change of ['opening', 'fence', 'copy'] as const) {
    const world = new World(3, (random) => given(random, 20 * 4_096, 4_096, 5));
    t.is(world.live(3 + 2 * 10), null);
    const next = given(world.random, 20 * 4_096, 4_096, change === 'opening' ? 6 : 5, change === 'fence' ? 5 : 4);
    world.donor = next;
    const before = world.asked;
    t.is(world.live()?.kind, 'installed');
    t.is(world.asked - before, 20 * 4_096);
    t.true(isSame(world.installed, next.bytes));
  }
});

test('how it ends when it does not', (t) => {
  const make = (faults: Faults = NO_FAULTS, fence = 4): World =>
    new World(1, (random) => given(random, 9_000, 4_096, 5, fence), faults);
  t.like(make(NO_FAULTS, 3).live(), {
    kind: 'refused',
    text: "The donor's file was made at reap fence 3, here it is 4",
  });
  const silent = make({ ...NO_FAULTS, lost: 1 });
  t.is(silent.live()?.kind, 'silent');
  t.true(silent.nowMs >= PATIENCE_MS && silent.nowMs < 2 * PATIENCE_MS);
  const wrong = make({ ...NO_FAULTS, wrong: 1 });
  t.is(wrong.live()?.kind, 'broken');
  t.is(wrong.installed, null);
  const lying = make();
  lying.donor.offer.digest[0] = (lying.donor.offer.digest[0] as number) ^ 1;
  t.is(lying.live()?.kind, 'broken');
  const receiver = new FileReceiver({ hash: HASH, fence: 0, patienceMs: 1 });
  receiver.start(0);
  const ended = [{ kind: 'end', result: { kind: 'failed', text: 'No space' } }] as const;
  t.deepEqual(receiver.step({ kind: 'failed', text: 'No space' }, 1), ended);
});

test('it ends once, and not before the disk is done with what came before', (t) => {
  const { offer, bytes } = given(new Prng(1), 5 * 4_096, 4_096, 5);
  const pieceAt = (chunk: number): Uint8Array => bytes.slice(chunk * 4_096, (chunk + 1) * 4_096);
  const fetching = (): FileReceiver => {
    const receiver = new FileReceiver({ hash: HASH, fence: 0, patienceMs: 10_000 });
    receiver.start(0);
    receiver.step({ kind: 'offered', offer }, 0);
    t.is(receiver.step({ kind: 'found', chunks: new Uint8Array(5) }, 0).length, PIECES_MAX);
    for (const ask of [1, 2]) {
      t.like(receiver.step({ kind: 'piece', ask, bytes: pieceAt(ask - 1) }, 0), { 0: { kind: 'store' }, length: 1 });
    }
    return receiver;
  };
  const refused = fetching();
  t.deepEqual(refused.step({ kind: 'refused', text: 'No', ask: 3 }, 0), []);
  t.deepEqual(refused.step({ kind: 'refused', text: 'No', ask: 4 }, 0), []);
  t.deepEqual(refused.step({ kind: 'failed', text: 'No space', chunk: 0 }, 0), []);
  const result = { kind: 'refused', text: 'No' } as const;
  t.deepEqual(refused.step({ kind: 'stored', chunk: 1 }, 0), [{ kind: 'end', result }]);
  t.deepEqual(refused.step({ kind: 'lost', ask: 4 }, 0), []);

  const broken = fetching();
  t.true(broken.isAsked(4));
  t.like(broken.step({ kind: 'lost', ask: 3 }, 0), { 0: { kind: 'wait' }, length: 1 });
  t.false(broken.isAsked(4));
  t.deepEqual(broken.step({ kind: 'piece', ask: 4, bytes: pieceAt(3) }, 0), []);
  t.deepEqual(broken.step({ kind: 'stored', chunk: 0 }, 0), []);
  t.deepEqual(broken.step({ kind: 'waited' }, 0), []);
  t.deepEqual(broken.step({ kind: 'stored', chunk: 1 }, 0), [{ kind: 'open' }]);
  t.deepEqual(broken.progress, { bytes: 2 * 4_096, ofBytes: 5 * 4_096 });
});

test('a name tells moves, openings and fences apart', (t) => {
  t.is(receivedName(3, 0x12345, { opening: 2, fence: 0 }), '0003-12345-0002-0000');
});
