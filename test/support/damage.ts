/*
 * Damage to files: which, where, and what it did to a store. One damage at a time, each on a copy of its own.
 */
import { fork, type ChildProcess } from 'node:child_process';
import {
  closeSync,
  cpSync,
  ftruncateSync,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readStamp } from './stamp.js';
import type { Scope } from './scope.js';
import type { StoreReply, StoreTask } from './store-child.js';

const CHILD = fileURLToPath(new URL('./store-child.js', import.meta.url));
const ANSWER_TIMEOUT_MS = 20_000;
/** A child keeps what the scrub task opens, so it is replaced now and then. */
const TASKS_PER_CHILD = 200;

export interface Damage {
  /** Relative to the store's directory. */
  readonly file: string;
  readonly kind: 'flip' | 'truncate' | 'zero';
  readonly offset: number;
  /** flip: bits to turn over; zero: how many bytes. */
  readonly amount: number;
}

export const describeDamage = ({ file, kind, offset, amount }: Damage): string =>
  `${kind} ${file} at ${offset}${kind === 'truncate' ? '' : ` (${amount})`}`;

export function applyDamage(directory: string, { file, kind, offset, amount }: Damage): void {
  const descriptor = openSync(join(directory, file), 'r+');
  try {
    if (kind === 'truncate') {
      ftruncateSync(descriptor, offset);
      return;
    }
    const bytes = Buffer.alloc(kind === 'zero' ? Math.min(amount, fstatSync(descriptor).size - offset) : 1);
    if (kind === 'flip') {
      readSync(descriptor, bytes, 0, 1, offset);
      bytes.writeUInt8(bytes.readUInt8(0) ^ amount, 0);
    }
    writeSync(descriptor, bytes, 0, bytes.length, offset);
  } finally {
    closeSync(descriptor);
  }
}

/** A copy of `base` with the damage done to it, handed to `use` and removed afterwards. */
export async function withDamage<T>(
  base: string,
  to: string,
  damages: readonly Damage[],
  use: (directory: string) => Promise<T>,
): Promise<T> {
  cpSync(base, to, { recursive: true });
  try {
    for (const damage of damages) applyDamage(to, damage);
    return await use(to);
  } finally {
    rmSync(to, { recursive: true, force: true });
  }
}

/** Files below a folder of the store with this ending, relative to it, with their sizes. */
export function filesOf(
  directory: string,
  folder: string,
  ending: string,
): readonly { readonly file: string; readonly bytes: number }[] {
  return readdirSync(join(directory, folder))
    .filter((name) => name.endsWith(ending))
    .sort()
    .map((name) => ({ file: join(folder, name), bytes: statSync(join(directory, folder, name)).size }));
}

export type ChildReply = StoreReply | { readonly reply: 'killed'; readonly by: string } | { readonly reply: 'hung' };

/** The engine in a child; a new one after each that died. */
export class StoreChild {
  #child: ChildProcess | null = null;
  #tasks = 0;

  constructor(scope: Scope) {
    scope.defer('end the store child', () => {
      this.end();
    });
  }

  ask(task: StoreTask, timeoutMs: number = ANSWER_TIMEOUT_MS): Promise<ChildReply> {
    this.#tasks += 1;
    if (this.#tasks % TASKS_PER_CHILD === 0) this.end();
    this.#child ??= fork(CHILD, [], {
      stdio: ['ignore', 'ignore', process.env['DEBUG_STORE_CHILD'] === undefined ? 'ignore' : 'inherit', 'ipc'],
    });
    const child = this.#child;
    return new Promise((resolve) => {
      const settle = (reply: ChildReply): void => {
        clearTimeout(timer);
        child.removeAllListeners();
        if (reply.reply === 'killed') this.#child = null;
        else if (reply.reply === 'hung') this.end();
        resolve(reply);
      };
      const timer = setTimeout(() => {
        settle({ reply: 'hung' });
      }, timeoutMs);
      child.once('message', (reply: StoreReply) => {
        settle(reply);
      });
      child.once('exit', (code, signal) => {
        settle({ reply: 'killed', by: signal ?? `exit code ${code}` });
      });
      child.send(task);
    });
  }

  end(): void {
    this.#child?.removeAllListeners();
    this.#child?.kill('SIGKILL');
    this.#child = null;
  }
}

/** What a read of all keys came to, against what was put. */
export interface Reading {
  right: number;
  /** `unknown`: neither found nor not-found. */
  unknown: number;
  /** Not found, though it was put and acknowledged. */
  falseNotFound: number;
  /** An earlier value of the same key, as if it were the newest. */
  stale: number;
  /** Bytes that were never put under that key. */
  invented: number;
}

export function judgeAnswers(
  seed: number,
  ids: Readonly<Record<string, readonly number[]>>,
  names: readonly string[],
  answers: Extract<StoreReply, { readonly reply: 'read' }>['answers'],
): Reading {
  const reading: Reading = { right: 0, unknown: 0, falseNotFound: 0, stale: 0, invented: 0 };
  for (const [i, name] of names.entries()) {
    const answer = answers[i];
    const put = ids[name] ?? [];
    if (answer === undefined || answer.state === 'waiting') throw new Error(`No answer for ${name}`);
    const stamp = answer.value === '' ? null : readStamp(seed, name, Buffer.from(answer.value, 'latin1'));
    if (stamp !== null && ('fault' in stamp || !put.includes(stamp.id))) reading.invented += 1;
    else if (answer.state === 'unknown') reading.unknown += 1;
    else if (stamp === null) reading.falseNotFound += 1;
    else if (stamp.id === put.at(-1)) reading.right += 1;
    else reading.stale += 1;
  }
  return reading;
}

export interface BatchPlace {
  readonly file: string;
  readonly offset: number;
  readonly length: number;
  readonly firstLsn: number;
  readonly count: number;
  readonly durableLsn: number;
}

const SECTOR_BYTES = 512;
const SEGMENT_HEADER_BYTES = 4_096;

/** The batches of a store's log, as log-format.ts draws them. */
export function batchesOf(directory: string): readonly BatchPlace[] {
  const batches: BatchPlace[] = [];
  for (const { file, bytes } of filesOf(directory, 'log', '.seg')) {
    const content = Buffer.alloc(bytes);
    const descriptor = openSync(join(directory, file), 'r');
    readSync(descriptor, content, 0, bytes, 0);
    closeSync(descriptor);
    for (let offset = SEGMENT_HEADER_BYTES; offset + SECTOR_BYTES <= bytes;) {
      const length = content.readUInt32BE(offset + 4);
      if (content.toString('latin1', offset, offset + 4) !== 'PBAT' || length === 0) break;
      const [firstLsn, durableLsn] = [content.readBigUInt64BE(offset + 16), content.readBigUInt64BE(offset + 32)].map(
        Number,
      );
      batches.push({
        file,
        offset,
        length,
        firstLsn: firstLsn ?? 0,
        count: content.readUInt32BE(offset + 24),
        durableLsn: durableLsn ?? 0,
      });
      offset += length;
    }
  }
  return batches;
}
