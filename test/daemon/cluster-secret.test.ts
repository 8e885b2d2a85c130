/* The file with the cluster's secret: what is taken from it, and every refusal. */
import test from 'ava';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { drawSecret, readSecret } from '../../src/daemon/cluster-secret.js';
import { openLog } from '../../src/daemon/logging.js';
import { StartRefusedError } from '../../src/daemon/running-node.js';
import { folderFor } from '../support/temporary.js';
import type { TeardownContext } from '../support/temporary.js';

class Desk {
  readonly path: string;
  readonly said: string[] = [];

  constructor(t: TeardownContext) {
    this.path = join(folderFor(t, 'secret'), 'cluster.secret');
  }

  write(bytes: Uint8Array | string, mode: number = 0o600): this {
    writeFileSync(this.path, bytes);
    chmodSync(this.path, mode);
    return this;
  }

  read(path: string | null = this.path): Promise<Uint8Array | null> {
    const log = openLog({ level: 'debug', env: {}, journal: false, write: (line) => this.said.push(line) });
    return readSecret(path, log);
  }
}

test('what is between white space is the secret, of at least 16 bytes', async (t) => {
  const desk = new Desk(t);
  t.is((await desk.write(drawSecret()).read())?.length, 64);
  t.deepEqual(await desk.write(`\n ${'s'.repeat(16)}\r\n`).read(), Buffer.from('s'.repeat(16)));
  t.deepEqual(desk.said, []);
  t.is(await desk.read(null), null);
});

test('two secrets that are no text stay two', async (t) => {
  const desk = new Desk(t);
  const [a, b] = [await desk.write(Buffer.alloc(16, 0xfe)).read(), await desk.write(Buffer.alloc(16, 0xff)).read()];
  t.notDeepEqual(a, b);
});

test('a file that every user can read is used, and warned of', async (t) => {
  const desk = new Desk(t).write(drawSecret(), 0o644);
  t.is((await desk.read())?.length, 64);
  t.regex(desk.said.join(''), /"level":"warn".*Every user of this machine can read .* chmod 600 .*cluster\.secret/);
  await desk.write(drawSecret(), 0o640).read();
  t.is(desk.said.length, 1);
});

const REFUSED: readonly (readonly [string, string | null, RegExp])[] = [
  ['is missing', null, /^The secret file cannot be read: ENOENT: .*cluster\.secret.* Copy cluster\.secret, as partita/],
  ['is empty', ' \n', /^The secret file .*cluster\.secret is empty\. Copy/],
  [
    'is too short',
    `${'s'.repeat(15)}\n`,
    /^The secret in .*cluster\.secret has 15 bytes, and at least 16 are needed\./,
  ],
  ['is some other file', 's'.repeat(5_000), /has more than 4096 bytes: this is some other file\./],
];
for (const [what, text, expected] of REFUSED) {
  test(`a file that ${what} refuses the start`, async (t) => {
    const desk = new Desk(t);
    if (text !== null) desk.write(text);
    const error = await t.throwsAsync(desk.read(), { instanceOf: StartRefusedError });
    t.regex(error?.message ?? '', expected);
  });
}

test('a directory is no secret file', async (t) => {
  await t.throwsAsync(new Desk(t).read(folderFor(t, 'secret')), { message: /cannot be read: EISDIR/ });
});
