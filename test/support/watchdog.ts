/*
 * A good client that looks after the server while bad ones are at it: every 100 ms a ping, a put and a get of the value
 * that was put, on one connection that it never gives up. It also samples the server's anonymous memory.
 */
import { RawClient, newPutId, RefusedError } from './raw-client.js';
import { statusKiB } from './faults/processes.js';

const EVERY_MS = 100;

export interface WatchdogReport {
  readonly rounds: number;
  readonly slowestMs: number;
  readonly rssAnonMaxKiB: number;
  /** Puts that were refused as overloaded: an answer, but not the one that was asked for. */
  readonly refused: number;
  readonly faults: readonly string[];
}

export class Watchdog {
  readonly #address: string;
  readonly #pid: number;
  readonly #answerMsMax: number;
  readonly #faults: string[] = [];
  #rounds = 0;
  #slowestMs = 0;
  #rssAnonMaxKiB = 0;
  #refused = 0;
  #stopping = false;
  #running: Promise<void> = Promise.resolve();

  constructor(address: string, pid: number, answerMsMax: number) {
    this.#address = address;
    this.#pid = pid;
    this.#answerMsMax = answerMsMax;
  }

  async start(): Promise<void> {
    const client = await RawClient.connect(this.#address);
    this.#running = this.#watch(client);
  }

  async stop(): Promise<WatchdogReport> {
    this.#stopping = true;
    await this.#running;
    return {
      rounds: this.#rounds,
      slowestMs: this.#slowestMs,
      rssAnonMaxKiB: this.#rssAnonMaxKiB,
      refused: this.#refused,
      faults: this.#faults,
    };
  }

  async #watch(client: RawClient): Promise<void> {
    let context: Uint8Array = new Uint8Array(0);
    for (let round = 1; !this.#stopping && this.#faults.length < 10; round++) {
      this.#rssAnonMaxKiB = Math.max(this.#rssAnonMaxKiB, statusKiB(this.#pid, 'RssAnon') ?? 0);
      try {
        context = await this.#round(client, round, context);
      } catch (error) {
        this.#faults.push(`round ${round}: ${error instanceof Error ? error.message : String(error)}`);
        if (client.socket.destroyed) break;
      }
      this.#rounds = round;
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
    client.close();
  }

  async #round(client: RawClient, round: number, context: Uint8Array): Promise<Uint8Array> {
    await this.#timed('ping', client.ping());
    const value = Buffer.from(`round ${round}`);
    try {
      await this.#timed('put', client.write({ key: 'watchdog', value, context, putId: newPutId() }));
    } catch (error) {
      if (!(error instanceof RefusedError) || !error.retryable) throw error;
      this.#refused += 1;
      return (await this.#timed('get', client.get('watchdog'))).context;
    }
    const read = await this.#timed('get', client.get('watchdog'));
    if (!read.values.some((one) => value.equals(one)))
      this.#faults.push(`round ${round}: the value that was put is not there`);
    return read.context;
  }

  async #timed<T>(what: string, answer: Promise<T>): Promise<T> {
    const since = performance.now();
    let timer: NodeJS.Timeout | undefined;
    const never = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`${what} was not answered within ${10 * this.#answerMsMax} ms`));
      }, 10 * this.#answerMsMax);
    });
    try {
      return await Promise.race([answer, never]);
    } finally {
      clearTimeout(timer);
      const tookMs = performance.now() - since;
      this.#slowestMs = Math.max(this.#slowestMs, tookMs);
      if (tookMs > this.#answerMsMax)
        this.#faults.push(`a ${what} took ${Math.round(tookMs)} ms, at most ${this.#answerMsMax} are allowed`);
    }
  }
}
