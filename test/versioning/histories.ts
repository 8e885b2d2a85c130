/*
 * A world of a few replicas, clients and a bad network, run beside a dumb twin that keeps full causal histories: for each
 * copy the set of all dots it has seen, never a vector. Both must agree after every step; and what was acknowledged must
 * be there in the end, or have been read by whoever overwrote it. The oracle knows no server's clock.
 *
 * `plant` breaks one rule, to see that the oracle notices.
 */
import { toHex } from '../../src/lib/bytes.js';
import { Prng } from '../../src/lib/prng.js';
import { decodePlain, dotOf, id, NOW_MS, Replica, resealed, type Shown } from './support.js';

export type Plant = 'nothing' | 'mint-by-own-entry' | 'actor-is-node' | 'context-always' | 'context-without-put-ids';

/** What one copy knows, without compression. */
interface Copy {
  readonly seen: ReadonlySet<string>;
  readonly siblings: ReadonlyMap<string, string>;
}

interface Message {
  readonly record: Uint8Array;
  readonly copy: Copy;
}

interface Context {
  readonly token: Uint8Array;
  readonly seen: ReadonlySet<string>;
  /** Values that came with it: what its holder has really read. */
  readonly read: readonly string[];
}

interface PutMade {
  readonly value: string;
  readonly isDelete: boolean;
  readonly putId: string;
  readonly context: Context;
  acked: boolean;
}

const BLANK: Copy = { seen: new Set(), siblings: new Map() };
const NOTHING_READ: Context = { token: new Uint8Array(0), seen: new Set(), read: [] };
/** So few that no put id is cut within a run: then nothing overwritten may come back, ever. */
const PUTS_MAX = 15;

function mergeCopies(a: Copy, b: Copy): Copy {
  const siblings = new Map<string, string>();
  for (const [dot, value] of a.siblings) if (b.siblings.has(dot) || !b.seen.has(dot)) siblings.set(dot, value);
  for (const [dot, value] of b.siblings) if (a.siblings.has(dot) || !a.seen.has(dot)) siblings.set(dot, value);
  return { seen: new Set([...a.seen, ...b.seen]), siblings };
}

export class World {
  /** What went wrong, in words; empty: nothing. */
  readonly faults: string[] = [];
  readonly puts: PutMade[] = [];
  readonly #prng: Prng;
  readonly #plant: Plant;
  readonly #replicas: Replica[];
  readonly #copies: Copy[];
  readonly #network: Message[] = [];
  readonly #clients: Context[] = [NOTHING_READ, NOTHING_READ, NOTHING_READ];
  /** Every dot ever minted, and what it named. */
  readonly #minted: Map<string, string> = new Map();

  constructor(seed: number, plant: Plant) {
    this.#prng = new Prng(seed);
    this.#plant = plant;
    this.#replicas = Array.from({ length: 4 }, (_, i) => new Replica(i, seed * 4 + i));
    this.#copies = this.#replicas.map(() => BLANK);
  }

  run(steps: number): this {
    for (let i = 0; i < steps && this.faults.length === 0; i++) {
      this.#step();
      this.#compare();
    }
    if (this.faults.length === 0) this.#judge();
    return this;
  }

  #step(): void {
    const at = this.#prng.int(this.#replicas.length);
    const x = this.#prng.float();
    if (x < 0.2) this.#read(this.#prng.int(this.#clients.length), at);
    else if (x < 0.4) this.#put(this.#prng.int(this.#clients.length), at);
    else if (x < 0.47) this.#retry(at);
    else if (x < 0.62) this.#send(at);
    else if (x < 0.85) this.#deliver(at);
    else if (x < 0.95) this.#handOverAndForget(at);
    else this.#replica(at).reopen();
  }

  #replica(at: number): Replica {
    return this.#replicas[at] as Replica;
  }

  #copy(at: number): Copy {
    return this.#copies[at] as Copy;
  }

  /** Of one replica, or of two merged. */
  #read(client: number, at: number): void {
    const other = this.#prng.int(this.#replicas.length);
    const both = new Replica(99, 1);
    both.receive(this.#replica(at).record);
    let copy = this.#copy(at);
    if (this.#prng.chance(0.5)) {
      both.receive(this.#replica(other).record);
      copy = mergeCopies(copy, this.#copy(other));
    }
    this.#clients[client] = this.#contextOf(both.read(), copy);
  }

  #contextOf(shown: Shown, copy: Copy): Context {
    return {
      token: this.#plant === 'context-without-put-ids' ? withoutIds(shown.token) : shown.token,
      seen: copy.seen,
      read: shown.values,
    };
  }

  #put(client: number, at: number): void {
    if (this.puts.length >= PUTS_MAX) return;
    const n = this.puts.length;
    const context = this.#prng.chance(0.75) ? (this.#clients[client] as Context) : NOTHING_READ;
    const put: PutMade = {
      value: `v${n}`,
      isDelete: this.#prng.chance(0.2),
      putId: id(NOW_MS / 1_000 + n, n),
      context,
      acked: false,
    };
    this.puts.push(put);
    this.#take(put, at, false);
    const { soleSibling } = this.#replica(at).plan;
    if (soleSibling || this.#plant === 'context-always') {
      const shown = { ...this.#replica(at).read(), values: [put.value] };
      this.#clients[client] = this.#contextOf(shown, this.#copy(at));
    }
    if (this.#prng.chance(0.3)) put.acked = false; // the ack got lost: its client does not know
  }

  /** The same put once more, at whatever replica; its first ack got lost. */
  #retry(at: number): void {
    if (this.puts.length > 0) this.#take(this.#prng.pick(this.puts), at, true);
  }

  #take(put: PutMade, at: number, retry: boolean): void {
    const replica = this.#replica(at);
    if (this.#plant === 'mint-by-own-entry') markOwnEntry(replica, at);
    if (this.#plant === 'actor-is-node' && replica.record.length === 0) this.#replicas[at] = new Replica(at, at);
    const taker = this.#replica(at);
    const { token } = put.context;
    const outcome = taker.put({
      value: put.isDelete ? undefined : put.value,
      id: put.putId,
      retry,
      ...(token.length > 0 && { token }),
    });
    put.acked = true;
    if (outcome === 'known') return;
    const copy = this.#copy(at);
    const siblings = new Map([...copy.siblings].filter(([old]) => !put.context.seen.has(old)));
    if (outcome === 'known-in-part') {
      this.#copies[at] = { seen: new Set([...copy.seen, ...put.context.seen]), siblings };
      return;
    }
    if (outcome !== 'write') throw new Error(`A put of a small world is ${outcome}`);
    const dot = dotOf(newDot(taker));
    if (this.#minted.has(dot)) this.faults.push(`dot ${dot} names ${this.#minted.get(dot)} and ${put.value}`);
    this.#minted.set(dot, put.value);
    siblings.set(dot, put.value);
    this.#copies[at] = { seen: new Set([...copy.seen, ...put.context.seen, dot]), siblings };
  }

  #send(at: number): void {
    this.#network.push({ record: this.#replica(at).record, copy: this.#copy(at) });
  }

  /** Any message, late or again; nothing is ever taken off the network. */
  #deliver(at: number): void {
    if (this.#network.length === 0) return;
    const message = this.#prng.pick(this.#network);
    this.#replica(at).receive(message.record);
    this.#copies[at] = mergeCopies(this.#copy(at), message.copy);
  }

  /** A fallback that delivered its hint, a damaged record that others hold too, a partition that moved. */
  #handOverAndForget(at: number): void {
    const to = (at + 1 + this.#prng.int(this.#replicas.length - 1)) % this.#replicas.length;
    this.#replica(to).receive(this.#replica(at).record);
    this.#copies[to] = mergeCopies(this.#copy(to), this.#copy(at));
    this.#replica(at).forget();
    this.#copies[at] = BLANK;
  }

  /** The vectors say exactly what the full histories say. */
  #compare(): void {
    this.#replicas.forEach((replica, i) => {
      const copy = this.#copy(i);
      const plain = replica.record.length === 0 ? { context: {}, siblings: [] } : decodePlain(replica.record);
      const context: Readonly<Record<string, number>> = plain.context;
      for (const dot of this.#minted.keys()) {
        const [actor = '', counter = ''] = dot.split(':');
        const isCovered = Number.parseInt(counter, 16) <= (context[actor] ?? 0);
        if (isCovered !== copy.seen.has(dot))
          this.faults.push(`replica ${i} has ${isCovered ? '' : 'not '}seen ${dot}, its history differs`);
      }
      const dots = plain.siblings.map(dotOf).join();
      if (dots !== [...copy.siblings.keys()].sort().join())
        this.faults.push(`replica ${i} holds ${dots}, its history differs`);
    });
  }

  #judge(): void {
    const order = [...this.#replicas.keys()];
    const all = (indices: number[]): Replica => {
      const sum = new Replica(98, 1);
      for (const i of indices) sum.receive(this.#replica(i).record);
      return sum;
    };
    const end = all(order);
    if (toHex(end.record) !== toHex(all(order.toReversed()).record)) this.faults.push('replicas differ when healed');
    const { values } = end.read();
    const overwritten = new Set(this.puts.filter((p) => p.acked).flatMap((p) => p.context.read));
    const read = new Set(this.puts.flatMap((p) => p.context.read));
    for (const { acked, isDelete, value } of this.puts) {
      if (acked && !isDelete && !values.includes(value) && !read.has(value))
        this.faults.push(`${value} is lost: nobody read it`);
    }
    if (new Set(values).size < values.length) this.faults.push(`shown twice: ${values.join()}`);
    for (const value of values)
      if (overwritten.has(value)) this.faults.push(`${value} came back after it was overwritten`);
  }
}

function newDot(replica: Replica): { actor: string; counter: number } {
  const { markActorHi, markActorLo, markCounter } = replica.plan;
  return {
    actor: markActorHi.toString(16).padStart(8, '0') + markActorLo.toString(16).padStart(8, '0'),
    counter: markCounter,
  };
}

/** "It is in my record, and it has my ordinal, so I minted it and may go on." */
function markOwnEntry(replica: Replica, ordinal: number): void {
  if (replica.record.length === 0) return;
  const own = Object.entries(decodePlain(replica.record).context).find(
    ([actor]) => Number.parseInt(actor.slice(0, 4), 16) === ordinal,
  );
  if (own === undefined) return;
  replica.hasMark = true;
  replica.markActorHi = Number.parseInt(own[0].slice(0, 8), 16);
  replica.markActorLo = Number.parseInt(own[0].slice(8), 16);
  replica.markCounter = own[1];
}

function withoutIds(token: Uint8Array): Uint8Array {
  if (token.length === 0) return token;
  const bytes = Buffer.from(token);
  const entriesEnd = 16 + 14 * bytes.readUInt16BE(2);
  bytes.writeUInt16BE(0, 4);
  return resealed(Buffer.concat([bytes.subarray(0, entriesEnd), Buffer.alloc(8)]));
}
