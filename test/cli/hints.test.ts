/* partita hints, against a scripted node on a unix socket. */
import test from 'ava';
import { join } from 'node:path';
import type { HintsReply } from '../../src/model/messages.js';
import { durationText } from '../../src/cli/durations.js';
import { encodeHintsReply } from '../../src/wire/codec-admin.js';
import { HINTS, HINTS_REPLY, PONG } from '../../src/wire/kinds.js';
import { failed } from '../support/fake-node.js';
import type { Script } from '../support/fake-node.js';
import { FakeServer } from '../support/fake-server.js';
import { runCli } from '../support/run-cli.js';
import { temporaryFolder } from '../support/temporary.js';

const NOW = 1_700_000_000_000;
const SOME: HintsReply = {
  owners: [
    { ordinal: 2, nodeId: 'ab'.repeat(16), count: 3, bytes: 645, oldestMs: NOW - 3_725_000 },
    { ordinal: 300, nodeId: '', count: 1, bytes: 215, oldestMs: NOW - 40 },
  ],
  count: 4,
  bytes: 860,
  bytesMax: 1_000_000,
  wallMs: NOW,
};

const answering =
  (reply: HintsReply): Script =>
  (request, peer) => {
    if (request.kind !== HINTS) throw new Error('Only hints are asked for');
    peer.frame(HINTS_REPLY, request.id, encodeHintsReply(reply));
    return true;
  };

interface Scene {
  readonly server: FakeServer;
  /** `unix:/path` */
  readonly admin: string;
}

async function withAdmin(script: Script, work: (scene: Scene) => Promise<void>): Promise<void> {
  const folder = temporaryFolder('hints');
  const server = await FakeServer.start(script, join(folder.path, 'admin.sock'));
  try {
    await work({ server, admin: server.address });
  } finally {
    await server.stop();
    folder.remove();
  }
}

test('hints shows whom they are for, how much, and since when', async (t) => {
  await withAdmin(answering(SOME), async ({ server, admin }) => {
    const raw = await runCli(['hints', '--admin', admin]);
    t.deepEqual([raw.code, raw.err], [0, '']);
    t.is(raw.out, '2\tabababab\t3\t645\t1h 2m\n300\tno member\t1\t215\t40ms\n');
    t.deepEqual(server.node.roles, ['admin']);

    const table = await runCli(['hints', '--admin', admin.slice('unix:'.length), '-o', 'table']);
    t.regex(table.out, /│ owner │ id {8}│ hints │ bytes │ oldest │/);
    t.regex(table.out, /│ 2 {5}│ abababab {2}│ 3 {5}│ 645 {3}│ 1h 2m {2}│/);
    t.regex(table.out, /4 hints for 2 owners, 860 of 1000000 bytes\n$/);

    const json = JSON.parse((await runCli(['-o', 'json', 'hints', '--admin', admin])).out) as Record<string, unknown>;
    t.deepEqual(json, {
      owners: [
        {
          ordinal: 2,
          nodeId: 'ab'.repeat(16),
          count: 3,
          bytes: 645,
          oldest: new Date(NOW - 3_725_000).toISOString(),
          oldestAgeMs: 3_725_000,
        },
        { ordinal: 300, nodeId: '', count: 1, bytes: 215, oldest: new Date(NOW - 40).toISOString(), oldestAgeMs: 40 },
      ],
      count: 4,
      bytes: 860,
      bytesMax: 1_000_000,
    });
  });
});

test('No hints is said in words to people, and is an empty output for programs', async (t) => {
  const none = { owners: [], count: 0, bytes: 0, bytesMax: 0, wallMs: NOW };
  await withAdmin(answering(none), async ({ admin }) => {
    t.deepEqual(await runCli(['hints', '--admin', admin]), { code: 0, out: '', bytes: Buffer.alloc(0), err: '' });
    const { out } = await runCli(['hints', '--admin', admin, '-o', 'table']);
    t.is(out, 'No hints: this node keeps none, it is a cluster of its own\n');
  });
  await withAdmin(answering({ ...none, bytesMax: 5_000 }), async ({ admin }) => {
    const { out } = await runCli(['hints', '--admin', admin, '-o', 'table']);
    t.is(out, 'No hints; this node may keep 5000 bytes of them\n');
  });
});

test('The socket is found as the daemon finds it', async (t) => {
  await withAdmin(answering(SOME), async ({ admin }) => {
    const env = { PARTITA_ADMIN_SOCKET: admin.slice('unix:'.length) };
    t.is((await runCli(['hints'], { env })).code, 0);
    const both = await runCli(['hints', '--admin', admin, '--config', '/etc/partita/n1.toml']);
    t.deepEqual([both.code, both.err], [2, 'error: --admin and --config: give one of them\n']);
  });
});

test('A node that cannot be reached is exit code 4, and the error says where its socket may be', async (t) => {
  const { code, out, err } = await runCli(['hints', '--admin', '/nonexistent/admin.sock']);
  t.deepEqual([code, out], [4, '']);
  t.regex(err, /^error: hints: Cannot connect to unix:\/nonexistent\/admin\.sock: connect ENOENT/);
  t.regex(err, /Is partitad running here, and is this its user\? Name its socket with --admin unix:\/PATH/);
});

test('What else goes wrong has a code of its own', async (t) => {
  await withAdmin(
    () => true,
    async ({ admin }) => {
      const late = await runCli(['hints', '--admin', admin, '--timeout', '300ms']);
      t.is(late.code, 5);
      t.regex(late.err, /^error: hints: no reply from unix:.+ within 300 ms/);
    },
  );
  const refusing: Script = (request, peer) => {
    peer.fail(request.id, failed('DRAINING', 'This node is being stopped'));
    return true;
  };
  await withAdmin(refusing, async ({ admin }) => {
    const { code, err } = await runCli(['hints', '--admin', admin]);
    t.is(code, 4);
    t.regex(err, /^error: hints: This node is being stopped/);
  });
  const babbling: Script = (request, peer) => {
    peer.frame(PONG, request.id, new Uint8Array(0));
    return true;
  };
  await withAdmin(babbling, async ({ admin }) => {
    const { code, err } = await runCli(['hints', '--admin', admin]);
    t.is(code, 1);
    t.regex(err, /answered with PONG, which is no answer to this/);
  });
  const broken: Script = (request, peer) => {
    peer.frame(HINTS_REPLY, request.id, Buffer.from([0x0a, 0xff]));
    return true;
  };
  await withAdmin(broken, async ({ admin }) => {
    t.regex((await runCli(['hints', '--admin', admin])).err, /the answer cannot be read/);
  });
  const hangingUp: Script = (_request, peer) => {
    peer.close();
    return true;
  };
  await withAdmin(hangingUp, async ({ admin }) => {
    const { code, err } = await runCli(['hints', '--admin', admin]);
    t.is(code, 4);
    t.regex(err, /hung up before it had answered/);
  });
  t.regex((await runCli(['hints', '--admin', '127.0.0.1:7700'])).err, /is no unix socket: expected unix:\/path/);
  t.is((await runCli(['hints', '--admin', 'x'])).code, 2);
});

test('Ages are shown in their two largest units', (t) => {
  const cases: readonly (readonly [number, string])[] = [
    [-5, '0ms'],
    [0, '0ms'],
    [999, '999ms'],
    [1_000, '1s'],
    [59_999, '59s'],
    [60_000, '1m'],
    [3_600_000 + 10_000, '1h'],
    [86_400_000 * 12 + 3_600_000 * 5, '12d 5h'],
  ];
  for (const [ms, expected] of cases) t.is(durationText(ms), expected);
});
