/* partita repair, against a scripted node on a unix socket. */
import test from 'ava';
import type { RepairReply } from '../../src/model/exchange-messages.js';
import { NOBODY_TO_MEET } from '../../src/node/repair-reply.js';
import { decodeRepair, encodeRepairReply, type RepairRequest } from '../../src/wire/codec-exchange.js';
import { REPAIR, REPAIR_REPLY } from '../../src/wire/kinds.js';
import { withAdminSocket } from '../support/admin-socket.js';
import { runCli } from '../support/run-cli.js';

const IDLE: RepairReply = {
  ...NOBODY_TO_MEET,
  periodMs: 3_600_000,
  partitions: 16,
  met: 40,
  received: 7,
  sent: 2,
  bytesIn: 5_000,
  bytesOut: 900,
};

/** Answers one after the other, the last again and again. */
async function withAdmin(
  replies: readonly RepairReply[],
  work: (admin: string, asked: readonly RepairRequest[]) => Promise<void>,
): Promise<void> {
  const asked: RepairRequest[] = [];
  await withAdminSocket(
    (request, peer) => {
      if (request.kind !== REPAIR) throw new Error('Only repair is asked for');
      const decoded = decodeRepair(request.body, 0, request.body.length);
      if (typeof decoded === 'string') throw new Error(decoded);
      const reply = replies[Math.min(asked.length, replies.length - 1)] as RepairReply;
      asked.push(decoded);
      peer.frame(REPAIR_REPLY, request.id, encodeRepairReply(reply));
      return true;
    },
    (admin) => work(admin, asked),
  );
}

test('status asks and starts nothing, and says it to people, to programs and to cut', async (t) => {
  await withAdmin([IDLE], async (admin, asked) => {
    const { code, out } = await runCli(['repair', 'status', '--admin', admin, '-o', 'table']);
    t.is(code, 0);
    t.is(
      out,
      '16 partitions, all of them counted in reads\n' +
        'nothing to do just now; every pair of owners meets once in 1h\n' +
        'since the start: 40 meetings, 0 broken off; 7 records received, 2 sent; 5000 bytes in, 900 out\n' +
        '0 differences left alone as too young, 0 partitions healed, 0 damaged records healed\n',
    );
    t.deepEqual(JSON.parse((await runCli(['-o', 'json', 'repair', 'status', '--admin', admin])).out), IDLE);
    t.regex((await runCli(['repair', 'status', '--admin', admin])).out, /^received\t7$/m);
    t.true(asked.every(({ start }) => !start));
  });
});

test('start starts once, and waits until nothing is left', async (t) => {
  const busy = { ...IDLE, waiting: 9, underWay: 1, suspect: [3] };
  await withAdmin([busy, { ...busy, waiting: 4 }, IDLE], async (admin, asked) => {
    const { code, out, err } = await runCli(['repair', 'start', '--wait', '--admin', admin, '-o', 'table']);
    t.is(code, 0);
    t.regex(err, /^\[\.{30}\] 0 %, 10 left\n\[#{15}\.{15}\] 50 %, 5 left\n$/);
    t.regex(out, /^16 partitions, all of them counted/);
    t.deepEqual(
      asked.map(({ start }) => start),
      [true, false, false],
    );
  });
});

test('suspect partitions are named, and a cluster of one has nobody to meet', async (t) => {
  await withAdmin([{ ...IDLE, suspect: [1, 2, 3, 4, 5, 6, 7, 8, 9] }], async (admin) => {
    const { out } = await runCli(['repair', 'status', '--admin', admin, '-o', 'table']);
    t.regex(out, /^16 partitions, 9 of them suspect: not counted in reads .* \(1, 2, 3, 4, 5, 6, 7, 8 …\)\n/);
  });
  await withAdmin([NOBODY_TO_MEET], async (admin) => {
    const { out } = await runCli(['repair', 'status', '--admin', admin, '-o', 'table']);
    t.is(out, 'Nothing to compare: no other node owns what this one does\n');
  });
});
