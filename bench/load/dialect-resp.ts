/*
 * Redis's protocol, as much of it as SET, GET and DEL need: the other store that `speed-single` lays beside ours, by the
 * same generator. Replies come in the order of the requests.
 */
import { KEY_BYTES, MISMATCH, NOT_FOUND, writeKey } from './dialect.js';
import type { WireDialect } from './dialect.js';
import { OPERATIONS } from './plan.js';
import type { Plan } from './plan.js';
import { OK } from './recorder.js';

const CR = 13;
const COLON = 58;
const DOLLAR = 36;
const MINUS = 45;
const P_OF_PONG = 80;

interface Template {
  readonly bytes: Buffer;
  readonly keyAt: number;
  readonly valueAt: number;
}

function command(words: readonly (Buffer | string)[]): Template {
  const parts: Buffer[] = [Buffer.from(`*${words.length}\r\n`)];
  let keyAt = 0;
  let valueAt = 0;
  let at = (parts[0] as Buffer).length;
  words.forEach((word, index) => {
    const bytes = Buffer.from(word);
    const head = Buffer.from(`$${bytes.length}\r\n`);
    at += head.length;
    if (index === 1) keyAt = at;
    if (index === 2) valueAt = at;
    at += bytes.length + 2;
    parts.push(head, bytes, Buffer.from('\r\n'));
  });
  return { bytes: Buffer.concat(parts), keyAt, valueAt };
}

export class RespDialect implements WireDialect {
  readonly greeting: Uint8Array = Buffer.from('*1\r\n$4\r\nPING\r\n');
  readonly requestBytesMax: number;
  readonly inOrder: boolean = true;
  readonly requestId: number = 0;
  readonly contexts: undefined = undefined;
  fault: string = '';
  seconds: number = 0;
  readonly #sizes: ReadonlySet<number>;
  readonly #get: Template = command(['GET', Buffer.alloc(KEY_BYTES)]);
  readonly #delete: Template = command(['DEL', Buffer.alloc(KEY_BYTES)]);
  readonly #sets: Map<number, Template> = new Map();
  /** Sent behind each SET and answered behind its answer; empty: a SET is done when the server says so. */
  readonly #wait: Buffer;
  readonly #waitReplicas: number;
  #waited: number = 0;
  #operations: number = 0;
  #type: number = 0;
  #length: number = 0;
  #text: string = '';

  constructor(plan: Plan) {
    this.#sizes = new Set(plan.sizes.map((size) => size.bytes));
    for (const bytes of this.#sizes)
      this.#sets.set(bytes, command(['SET', Buffer.alloc(KEY_BYTES), Buffer.alloc(bytes, 0x2e)]));
    this.#waitReplicas = plan.waitReplicas;
    if (plan.waitReplicas > 0 && plan.mix.put !== OPERATIONS.reduce((sum, operation) => sum + plan.mix[operation], 0)) {
      throw new Error('waitReplicas goes with puts alone: only their replies come in pairs');
    }
    const timeout = String(Math.ceil(plan.timeoutMs / 2)); // so that it is told, and not given up
    this.#wait = plan.waitReplicas > 0 ? command(['WAIT', String(plan.waitReplicas), timeout]).bytes : Buffer.alloc(0);
    this.requestBytesMax = Math.max(...this.#sizes) + 256;
  }

  greetingFault(): string {
    return this.#type === MINUS ? this.#text : '';
  }

  writeGet(target: Buffer, at: number, _requestId: number, key: number): number {
    return this.#write(this.#get, target, at, key);
  }

  writePut(target: Buffer, at: number, _requestId: number, key: number, valueBytes: number): number {
    const template = this.#sets.get(valueBytes) as Template;
    const end = this.#write(template, target, at, key);
    if (valueBytes >= 4) target.writeUInt32BE(this.#operations++ >>> 0, at + template.valueAt);
    return end + this.#wait.copy(target, end);
  }

  writeDelete(target: Buffer, at: number, _requestId: number, key: number): number {
    return this.#write(this.#delete, target, at, key);
  }

  parse(bytes: Buffer, start: number, end: number): number {
    const lineEnd = bytes.indexOf(CR, start);
    if (lineEnd < 0 || lineEnd + 2 > end) return 0;
    this.#type = bytes[start] as number;
    if (this.#type === MINUS) this.#text = bytes.toString('latin1', start + 1, lineEnd);
    if (this.#type !== DOLLAR) return this.#withWait(bytes, start, lineEnd + 2, end);
    this.#length = Number(bytes.toString('latin1', start + 1, lineEnd));
    const size = lineEnd + 2 - start + (this.#length < 0 ? 0 : this.#length + 2);
    return size <= end - start ? size : 0;
  }

  judgeGet(): string {
    if (this.#type !== DOLLAR) return this.judgeWrite();
    if (this.#length < 0) return NOT_FOUND;
    if (this.#sizes.has(this.#length)) return OK;
    this.fault = `a value of ${this.#length} bytes, which no put of this run has`;
    return MISMATCH;
  }

  judgeWrite(): string {
    if (this.#type === MINUS) return `redis_${(this.#text.split(' ')[0] ?? '').toLowerCase()}`;
    return this.#waited < this.#waitReplicas ? 'redis_wait' : OK;
  }

  /** Where SETs wait for replicas, their reply and that of WAIT are one. */
  #withWait(bytes: Buffer, start: number, next: number, end: number): number {
    if (this.#wait.length === 0 || bytes[start + 1] === P_OF_PONG) return next - start;
    const lineEnd = bytes.indexOf(CR, next);
    if (lineEnd < 0 || lineEnd + 2 > end) return 0;
    this.#waited = bytes[next] === COLON ? Number(bytes.toString('latin1', next + 1, lineEnd)) : 0;
    return lineEnd + 2 - start;
  }

  #write(template: Template, target: Buffer, at: number, key: number): number {
    template.bytes.copy(target, at);
    writeKey(target, at + template.keyAt, key);
    return at + template.bytes.length;
  }
}
