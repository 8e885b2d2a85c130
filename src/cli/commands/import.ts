/* partita import: what export has written, back into a cluster, the same one or another. */
import { createReadStream } from 'node:fs';
import xxhash from 'xxhash-wasm';
import { PartitaError } from '../../client/index.js';
import type { Client } from '../../client/index.js';
import { hash64From } from '../../model/hash.js';
import type { Hash64 } from '../../model/hash.js';
import { EXIT_DONE, EXIT_FAILED, describeError, exitCodeOf } from '../exit-codes.js';
import { planImport } from '../import-plan.js';
import { UsageError } from '../io.js';
import type { Io } from '../io.js';
import { keyText } from '../keys-pages.js';
import { LineTooLong, linesOf } from '../lines.js';
import { LineFault, decodeLine } from '../ndjson.js';
import type { KeyLine } from '../ndjson.js';
import { counted, endProgress, showProgress } from '../output.js';
import { Turns } from '../turns.js';
import { withClient } from '../session.js';
import type { CommonOptions } from '../session.js';

export interface ImportOptions extends CommonOptions {
  readonly file?: string;
  readonly dryRun?: boolean;
  readonly force?: boolean;
}

/** Keys read and written at once. */
const AT_ONCE = 16;
/** A line of a hundred large values; longer ones are read and not kept. */
const LINE_BYTES_MAX = 268_435_456;

interface Count {
  lines: number;
  stored: number;
  versions: number;
  same: number;
  seen: number;
  expired: number;
  bad: number;
  failed: number;
}

export async function runImport(io: Io, options: ImportOptions): Promise<number> {
  if (options.file === undefined && io.stdinIsTTY)
    throw new UsageError('nothing to import: give the file on standard input (partita import < FILE), or --file FILE');
  const hash = hash64From(await xxhash());
  const input = options.file === undefined ? io.stdin : bytesOfFile(options.file);
  return withClient(io, options, (client) => new Import(io, client, hash, options).run(input));
}

async function* bytesOfFile(file: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(file) as AsyncIterable<Buffer>;
  } catch (error) {
    throw new UsageError(`--file: cannot read ${file}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  }
}

class Import {
  readonly #io: Io;
  readonly #client: Client;
  readonly #hash: Hash64;
  readonly #isDry: boolean;
  readonly #force: boolean;
  readonly #turns: Turns = new Turns(AT_ONCE);
  readonly #count: Count = { lines: 0, stored: 0, versions: 0, same: 0, seen: 0, expired: 0, bad: 0, failed: 0 };
  /** The first failure after which it makes no sense to go on, and its line. */
  #stopped: { readonly line: number; readonly error: unknown } | null = null;

  constructor(io: Io, client: Client, hash: Hash64, { dryRun, force }: ImportOptions) {
    this.#io = io;
    this.#client = client;
    this.#hash = hash;
    this.#isDry = dryRun === true;
    this.#force = force === true;
  }

  async run(input: AsyncIterable<Uint8Array>): Promise<number> {
    let number = 0;
    for await (const text of linesOf(input, LINE_BYTES_MAX)) {
      if (this.#stopped !== null) break;
      number += 1;
      if (typeof text === 'string' && text.trim() === '') continue;
      this.#count.lines += 1;
      const line = this.#parse(text, number);
      if (line === null) continue;
      const at = number;
      // Two lines of one key wait for each other: the second must see what the first has stored.
      await this.#turns.take(Buffer.from(line.key).toString('latin1'), () => this.#one(line, at));
      if (number % 100 === 0) showProgress(this.#io, `${counted(number, 'line')}: ${this.#words()}`);
    }
    await this.#turns.idle();
    return this.#summarise();
  }

  #parse(text: string | LineTooLong, number: number): KeyLine | null {
    try {
      if (text instanceof LineTooLong) throw new LineFault(`longer than the ${LINE_BYTES_MAX} bytes that are accepted`);
      return decodeLine(text);
    } catch (error) {
      if (!(error instanceof LineFault)) throw error;
      this.#bad(number, error);
      return null;
    }
  }

  async #one(line: KeyLine, number: number): Promise<void> {
    if (this.#stopped !== null) return;
    try {
      await this.#store(line);
    } catch (error) {
      if (error instanceof LineFault) {
        this.#bad(number, error);
      } else if (PartitaError.is(error) && !error.retryable && !error.outcomeUnknown) {
        this.#count.failed += 1;
        endProgress(this.#io);
        this.#io.err(`error: line ${number}: ${keyText({ key: line.key, hash: '' })}: ${error.message}\n`);
      } else {
        this.#stopped ??= { line: number, error };
      }
    }
  }

  async #store(line: KeyLine): Promise<void> {
    const current = await this.#client.get(line.key);
    const plan = planImport(line, current, this.#hash, Date.now(), this.#force);
    if (plan.kind !== 'store') {
      this.#count[plan.kind] += 1;
      return;
    }
    for (const { value, expiresMs } of plan.puts) {
      if (this.#isDry) continue;
      const ttlMs = expiresMs === 0 ? undefined : Math.max(1, expiresMs - Date.now());
      const context = plan.withContext ? line.context : undefined;
      await this.#client.put(line.key, value, { ttlMs, context });
    }
    this.#count.stored += 1;
    this.#count.versions += plan.puts.length;
  }

  #bad(number: number, fault: LineFault): void {
    this.#count.bad += 1;
    endProgress(this.#io);
    this.#io.err(`error: line ${number}: ${fault.message}\n`);
  }

  #words(): string {
    const { stored, versions, same, seen, expired } = this.#count;
    const parts = [
      `${counted(stored, 'key')} ${this.#isDry ? 'would be stored' : 'stored'} with ${counted(versions, 'version')}`,
    ];
    if (same > 0) parts.push(`${same} were there already`);
    if (seen > 0) parts.push(`${seen} had been replaced or deleted since the export`);
    if (expired > 0) parts.push(`${expired} had expired`);
    return parts.join(', ');
  }

  #summarise(): number {
    const { lines, seen, bad, failed } = this.#count;
    const io = this.#io;
    endProgress(io);
    io.err(`${counted(lines, 'line')}: ${this.#words()}\n`);
    if (seen > 0 && !this.#force)
      io.err('note: what had been replaced or deleted was left so; to bring it back, as conflicts: --force\n');
    if (bad > 0) io.err(`error: ${counted(bad, 'line')} not understood and left out: see above\n`);
    if (failed > 0) io.err(`error: ${counted(failed, 'key')} refused: see above\n`);
    if (this.#stopped !== null) {
      const { line, error } = this.#stopped;
      io.err(`${describeError(error, `line ${line}`)}\n`);
      io.err('error: stopped there. Import the same file again: what is stored already is passed over\n');
      return exitCodeOf(error);
    }
    return bad > 0 || failed > 0 ? EXIT_FAILED : EXIT_DONE;
  }
}
