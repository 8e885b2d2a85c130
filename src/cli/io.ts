/* What the command line touches of its process, so that tests run it in theirs. */
import { once } from 'node:events';

export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdinIsTTY: boolean;
  readonly stdoutIsTTY: boolean;
  readonly stdin: AsyncIterable<Uint8Array>;
  out(bytes: Uint8Array | string): void;
  /** Resolves when what was written has been taken: for output that may be larger than memory. */
  drained(): Promise<void>;
  /** Standard error is a terminal: progress may be shown there. */
  readonly stderrIsTTY: boolean;
  err(text: string): void;
}

/** The command line is wrong: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export type OutputFormat = 'table' | 'json' | 'raw';

export function processIo(): Io {
  // `partita … | head` ends the reader first: nobody is left to tell.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  return {
    env: process.env,
    stdinIsTTY: process.stdin.isTTY === true,
    stdoutIsTTY: process.stdout.isTTY === true,
    stderrIsTTY: process.stderr.isTTY === true,
    stdin: process.stdin,
    out: (bytes) => {
      process.stdout.write(bytes);
    },
    drained: async () => {
      if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain');
    },
    err: (text) => {
      process.stderr.write(text);
    },
  };
}
