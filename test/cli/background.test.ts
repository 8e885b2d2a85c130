/* partita background and partita scrub, against a scripted node on a unix socket. */
import test from 'ava';
import type { BackgroundReply, ScrubReply } from '../../src/model/messages.js';
import { decodeScrub, encodeBackgroundReply, encodeScrubReply } from '../../src/wire/codec-background.js';
import { BACKGROUND, BACKGROUND_REPLY, SCRUB, SCRUB_REPLY } from '../../src/wire/kinds.js';
import type { ScrubRequest } from '../../src/wire/codec-background.js';
import { withAdminSocket } from '../support/admin-socket.js';
import { runCli } from '../support/run-cli.js';

const BUSY: BackgroundReply = {
  bytesPerSecond: 2_097_152,
  bytesPerSecondMin: 524_288,
  bytesPerSecondMax: 67_108_864,
  cause: 'requests',
  getsUs: 4_320,
  putsUs: 81_000,
  loopDelayUs: 1_200,
  syncUs: 0,
  requestTargetUs: 50_000,
  loopDelayTargetUs: 20_000,
  syncTargetUs: 20_000,
  tasks: [
    { name: 'hints', waiting: 1, slices: 300, bytes: 78_643_200 },
    { name: 'scrub', waiting: 0, slices: 12, bytes: 6_291_456 },
  ],
};
const FREE: BackgroundReply = { ...BUSY, bytesPerSecond: 0, cause: '', tasks: [] };
const CALM: ScrubReply = {
  periodMs: 1_209_600_000,
  partition: 0,
  leaf: 0,
  leafCount: 4_096,
  waiting: 0,
  partitions: 256,
  records: 1_000,
  bytes: 1_572_864,
  damaged: 0,
  wrongLeaves: 0,
  broken: 0,
  repaired: 0,
  repairsWaiting: 0,
  givenUp: 0,
};

async function withAdmin(
  background: BackgroundReply,
  scrub: ScrubReply,
  work: (admin: string, asked: readonly ScrubRequest[]) => Promise<void>,
): Promise<void> {
  const asked: ScrubRequest[] = [];
  await withAdminSocket(
    (request, peer) => {
      if (request.kind === BACKGROUND) peer.frame(BACKGROUND_REPLY, request.id, encodeBackgroundReply(background));
      else if (request.kind === SCRUB) {
        const read = decodeScrub(request.body, 0, request.body.length);
        if (typeof read === 'string') throw new Error(read);
        asked.push(read);
        peer.frame(SCRUB_REPLY, request.id, encodeScrubReply(scrub));
      } else throw new Error(`Nobody asks for ${request.kind}`);
      return true;
    },
    (admin) => work(admin, asked),
  );
}

test('background shows who has had what, the rate, and why it is no more', async (t) => {
  await withAdmin(BUSY, CALM, async (admin) => {
    const raw = await runCli(['background', '--admin', admin]);
    t.deepEqual([raw.code, raw.err, raw.out], [0, '', 'hints\t1\t300\t78643200\nscrub\t0\t12\t6291456\n']);
    const table = await runCli(['background', '--admin', admin, '-o', 'table']);
    t.regex(table.out, /│ hints │ 1 {7}│ 300 {4}│ 78643200 │/);
    t.true(table.out.includes('2 MiB/s of 512 KiB/s to 64 MiB/s: gets or puts are slower than their target\n'));
    t.true(
      table.out.includes(
        'p99 of gets 4.32 ms, of puts 81 ms (target 50 ms); loop delay 1.20 ms (20 ms); log sync - (20 ms)\n',
      ),
    );
    t.deepEqual(JSON.parse((await runCli(['-o', 'json', 'background', '--admin', admin])).out), BUSY);
  });
  await withAdmin(FREE, CALM, async (admin) => {
    t.true(
      (await runCli(['background', '--admin', admin, '-o', 'table'])).out.endsWith(
        'Nothing is held back on this node\n',
      ),
    );
  });
});

test('scrub status tells how far it is and what it has found, and asks for nothing', async (t) => {
  await withAdmin(BUSY, CALM, async (admin, asked) => {
    const calm = await runCli(['scrub', 'status', '--admin', admin, '-o', 'table']);
    t.deepEqual([calm.code, calm.err], [0, '']);
    t.is(
      calm.out,
      'Each partition is read once in 14d; none is being read now\nSince the node was started: 256 partitions read, 1000 records sound, 1.5 MiB\nNothing was found damaged\n',
    );
    t.deepEqual(
      asked.map(({ begins, partition }) => [begins, partition]),
      [[false, null]],
    );
  });
  const busy = {
    ...CALM,
    partition: 18,
    leaf: 2_048,
    waiting: 3,
    damaged: 2,
    repaired: 1,
    repairsWaiting: 1,
    wrongLeaves: 4,
  };
  await withAdmin(BUSY, busy, async (admin) => {
    const { out } = await runCli(['scrub', 'status', '--admin', admin, '-o', 'table']);
    t.true(out.includes('partition 17 is being read, 50 % done; 3 more wait\n'));
    t.true(out.includes('DAMAGE: 2 records (1 repaired, 1 waiting for a good copy, 0 without one)'));
    t.true(out.includes('4 leaves of the tree'));
    const json = JSON.parse((await runCli(['scrub', 'status', '--admin', admin, '-o', 'json'])).out) as object;
    t.deepEqual(json, { ...busy, partition: 17 });
  });
  await withAdmin(BUSY, { ...CALM, periodMs: 0 }, async (admin) => {
    t.is(
      (await runCli(['scrub', 'status', '--admin', admin, '-o', 'table'])).out,
      'Nothing is scrubbed on this node\n',
    );
  });
});

test('scrub start begins with all partitions, or with one', async (t) => {
  await withAdmin(BUSY, CALM, async (admin, asked) => {
    t.is((await runCli(['scrub', 'start', '--admin', admin])).code, 0);
    t.is((await runCli(['scrub', 'start', '--partition', '17', '--admin', admin])).code, 0);
    t.deepEqual(
      asked.map(({ begins, partition }) => [begins, partition]),
      [
        [true, null],
        [true, 17],
      ],
    );
    const wrong = await runCli(['scrub', 'start', '--partition', 'x', '--admin', admin]);
    t.is(wrong.code, 2);
    t.regex(wrong.err, /--partition: x is no partition: expected a whole number from 0/);
  });
});
