/*
 * What the clients want: a stream of gets, puts with the context they last saw (however old), puts with none, deletes,
 * read-merge-writes, deletes of what has just been read, and retries, by the application, of puts whose outcome it was not
 * told, or was told long ago.
 */
import type { Prng } from '../../src/lib/prng.js';
import { STAMP_BYTES_MIN } from '../support/stamp.js';
import { NOTHING_SEEN, type Sent, type SimClient, type Terms } from './client.js';
import type { History } from './history.js';
import type { WorkShape } from './options.js';
import { exponential } from './tools.js';

const REMEMBERED_SENT_MAX = 32;
const LARGE_BYTES = 40_000;
const MORE = 150;
/** Some pass while the run lasts, some in its course, some after it by every clock. */
const TTLS_MS = [300, 2_000, 10_000, 40_000, 3_600_000] as const;

export class Workload {
  readonly keys: readonly string[];
  readonly #clients: readonly SimClient[];
  readonly #history: History;
  readonly #shape: WorkShape;
  readonly #random: Prng;
  #stopped = false;

  constructor(clients: readonly SimClient[], history: History, shape: WorkShape, random: Prng) {
    this.#clients = clients;
    this.#history = history;
    this.#shape = shape;
    this.#random = random;
    this.keys = Array.from({ length: shape.keys }, (_, i) =>
      random.chance(0.05) ? `${'long '.repeat(140)}${i}` : `key ${i}`,
    );
  }

  start(): void {
    for (const client of this.#clients) this.go(client);
  }

  stop(): void {
    this.#stopped = true;
  }

  get underWay(): number {
    return this.#clients.reduce((sum, { underWay }) => sum + underWay, 0);
  }

  get operations(): number {
    return this.#history.operations;
  }

  /** The client begins, or begins again as another process. */
  go(client: SimClient): void {
    const { process } = client;
    const next = (): void => {
      process.after(exponential(this.#random, this.#shape.thinkMs), () => {
        if (this.#stopped) return;
        if (client.underWay < this.#shape.inFlightMax) this.#one(client);
        next();
      });
    };
    next();
  }

  #one(client: SimClient): void {
    const key = this.#random.pick(this.keys);
    const nothing = (): void => undefined;
    switch (this.#kind()) {
      case 0:
        client.get(key, this.#terms(this.#shape.reads), nothing);
        return;
      case 1:
        client.write(key, this.#size(), client.seen.get(key) ?? NOTHING_SEEN, this.#more(), nothing);
        return;
      case 2:
        client.write(key, this.#size(), NOTHING_SEEN, this.#more(), nothing);
        return;
      case 3:
        client.write(key, null, client.seen.get(key) ?? NOTHING_SEEN, this.#more(), nothing);
        return;
      case 4:
        client.get(key, this.#terms(this.#shape.reads), (seen) => {
          if (seen !== null && !this.#stopped) client.write(key, this.#size(), seen, this.#more(), nothing);
        });
        return;
      case 5:
        this.#repeat(client, (sent) => sent.write.outcome === 'unknown');
        return;
      case 7:
        client.get(key, this.#terms(this.#shape.reads), (seen) => {
          if (seen !== null && seen.ids.length > 0 && !this.#stopped)
            client.write(key, null, seen, this.#more(), nothing);
        });
        return;
      default:
        this.#repeat(client, (sent) => sent.write.outcome === 'ok');
    }
  }

  #repeat(client: SimClient, wanted: (sent: Sent) => boolean): void {
    client.sent = client.sent.slice(-REMEMBERED_SENT_MAX);
    const candidates = client.sent.filter(wanted);
    if (candidates.length === 0) return;
    const sent = this.#random.pick(candidates);
    client.sent = client.sent.filter((other) => other !== sent);
    client.repeat(sent, this.#shape.timeoutMs, () => undefined);
  }

  #kind(): number {
    const { mix } = this.#shape;
    let draw = this.#random.int(mix.reduce((sum, weight) => sum + weight, 0));
    return mix.findIndex((weight) => (draw -= weight) < 0);
  }

  #more(): Terms {
    const durable = this.#random.chance(this.#shape.durableChance);
    const expires = this.#shape.ttlChance > 0 && this.#random.chance(this.#shape.ttlChance);
    return { ...this.#terms(this.#shape.writes), durable, ...(expires ? { ttlMs: this.#random.pick(TTLS_MS) } : {}) };
  }

  #terms(counts: readonly number[]): Terms {
    const { timeoutMs, strictChance } = this.#shape;
    const count = counts.length === 1 ? (counts[0] as number) : this.#random.pick(counts);
    return { count, strict: strictChance > 0 && this.#random.chance(strictChance), timeoutMs };
  }

  #size(): number {
    if (this.#shape.largeValues && this.#random.chance(0.05)) return STAMP_BYTES_MIN + this.#random.int(LARGE_BYTES);
    return STAMP_BYTES_MIN + this.#random.int(MORE);
  }
}
