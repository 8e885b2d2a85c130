/* Runs the command line in this process, with pipes or a terminal of the test's own. */
import { partita } from '../../src/cli/partita.js';
import type { Io } from '../../src/cli/io.js';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly bytes: Buffer;
  readonly err: string;
}

export interface Surroundings {
  readonly stdin?: Uint8Array;
  readonly isTTY?: boolean;
  /** Of standard error. */
  readonly isErrTTY?: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

export async function runCli(
  argv: readonly string[],
  { stdin, isTTY = false, isErrTTY = false, env = {} }: Surroundings = {},
): Promise<Ran> {
  const out: Buffer[] = [];
  let err = '';
  async function* input(): AsyncGenerator<Uint8Array> {
    const bytes = stdin ?? new Uint8Array(0);
    for (let at = 0; at < bytes.length; at += 1_000) yield bytes.subarray(at, at + 1_000);
    await Promise.resolve();
  }
  const io: Io = {
    env,
    stdinIsTTY: stdin === undefined,
    stdoutIsTTY: isTTY,
    stderrIsTTY: isErrTTY,
    drained: () => Promise.resolve(),
    stdin: input(),
    out: (bytes) => {
      out.push(Buffer.from(bytes));
    },
    err: (text) => {
      err += text;
    },
  };
  const code = await partita(argv, io);
  const bytes = Buffer.concat(out);
  return { code, out: bytes.toString('utf8'), bytes, err };
}
