/* Files of archives at an owner: taken whole, gone on with, given up; and every reason for which one is not taken. */
import test, { type ExecutionContext } from 'ava';
import { type ErrorCode, failure, type Failure } from '../../../src/model/errors.js';
import { checkWhole, copyFrom, NAMES, raiseNow, valueAt } from '../../storage/engine-install-world.js';
import { ARCHIVED, isRefused, offerOf, Owner } from './restored-scene.js';

const CHUNKS = ARCHIVED.file.digests.length / 8;

function refused(t: ExecutionContext, reply: object | null, code: ErrorCode, text: RegExp): void {
  t.true(reply !== null && isRefused(reply), JSON.stringify(reply));
  t.is((reply as Failure).code, code);
  t.regex((reply as Failure).text, text);
}

function holdsAll(t: ExecutionContext, { world }: Owner, more: string = ''): void {
  for (const name of NAMES.slice(0, 8)) t.is(valueAt(world, name), 'theirs 3', more);
  t.deepEqual(world.up().status().suspectPartitions, [], more);
}

test('pieces in any order become the partition, and nothing is left beside it', (t) => {
  const owner = new Owner();
  const opened = owner.open();
  t.deepEqual(opened, { chunks: new Uint8Array(CHUNKS), pieceBytes: 10_000 - 4_096 });
  t.true(CHUNKS > 2);
  t.is(owner.send(), null);
  t.deepEqual(owner.now(owner.take()), { ready: true });
  holdsAll(t, owner);
  owner.world.time.runFor(100);
  t.deepEqual(owner.staged, []);
  t.deepEqual(owner.held, [[0], []], 'nobody was to heal it meanwhile');
  t.is(owner.files.taken, 1);
  checkWhole(t, owner.world);
});

test('a command that comes again goes on with what is there; a node that was started again begins anew', (t) => {
  const owner = new Owner();
  owner.open();
  const first = owner.piece(0, ARCHIVED.bytes.subarray(0, 4_096));
  t.deepEqual(owner.now(first), {});
  const again = owner.open();
  t.deepEqual(isRefused(again) ? [] : [...again.chunks].slice(0, 2), [1, 0]);
  owner.crash('power');
  owner.world.time.runFor(100);
  t.deepEqual(owner.staged, [], 'what an earlier start has left goes');
  refused(
    t,
    owner.now(owner.piece(0, ARCHIVED.bytes.subarray(0, 10))),
    'INVALID_ARGUMENT',
    /No such file of partition 0/,
  );
  t.deepEqual(owner.bring(), { ready: true });
  holdsAll(t, owner);
});

test('what is refused before a byte has come', (t) => {
  const owner = new Owner();
  owner.refuses = failure('INVALID_ARGUMENT', 'Partition 0 is being moved');
  refused(t, owner.open(), 'INVALID_ARGUMENT', /is being moved/);
  owner.refuses = failure('UNAVAILABLE', 'ask again');
  refused(t, owner.open(), 'UNAVAILABLE', /ask again/);
  owner.refuses = null;
  const wrong = { ...ARCHIVED.file, digest: new Uint8Array(8) };
  refused(t, owner.open({ ...ARCHIVED, file: wrong }), 'INVALID_ARGUMENT', /digests of the file/);
  refused(t, owner.now(owner.take()), 'INVALID_ARGUMENT', /No such file/);
  t.deepEqual(owner.staged, []);
  for (let partition = 1; partition < 5; partition++) t.false(isRefused(owner.open(ARCHIVED, { partition })));
  refused(t, owner.open(), 'OVERLOADED', /4 files are on their way/);
  owner.files.stop();
  refused(t, owner.open(), 'UNAVAILABLE', /at present/);
});

test('two commands with two files of one partition, and pieces that are none of the file', (t) => {
  const owner = new Owner();
  owner.open();
  refused(t, owner.open(ARCHIVED, { restoreId: 78 }), 'OVERLOADED', /Another file of partition 0/);
  const other = offerOf(copyFrom(2, (donor) => donor.put(NAMES[0] as string, 'other', 1)));
  refused(t, owner.open(other), 'OVERLOADED', /Another file/);
  refused(t, owner.now(owner.piece(0, new Uint8Array(3), { restoreId: 78 })), 'INVALID_ARGUMENT', /No such file/);
  refused(t, owner.now(owner.take({ restoreId: 78 })), 'INVALID_ARGUMENT', /No such file/);
  const { length } = ARCHIVED.bytes;
  refused(t, owner.now(owner.piece(length - 1, new Uint8Array(2))), 'INVALID_ARGUMENT', /is to have \d+ bytes/);
  t.is(owner.send(), null);
  t.deepEqual(owner.now(owner.take()), { ready: true });
});

test('a file of which a piece is missing or wrong is not taken, and goes', (t) => {
  for (const offset of [-1, 4_100]) {
    const owner = new Owner();
    owner.open();
    owner.send();
    if (offset >= 0) owner.now(owner.piece(offset, new Uint8Array([1, 2, 3])));
    else {
      owner.crash('kill');
      owner.open();
      const { length } = ARCHIVED.bytes;
      owner.now(owner.piece(length - 10, ARCHIVED.bytes.subarray(length - 10)));
    }
    const reply = owner.now(owner.take());
    t.true(isRefused(reply));
    t.regex((reply as Failure).text, /of partition 0 (is not what it was said to be|was not taken)/);
    owner.world.time.runFor(100);
    t.deepEqual(owner.staged, []);
    t.is(valueAt(owner.world, NAMES[0] as string), 'absent');
    t.deepEqual(owner.bring(), { ready: true }, 'the next one is');
    holdsAll(t, owner);
  }
});

test('what comes between the last piece and the moment in which it is taken keeps it out', (t) => {
  const cases: readonly (readonly [(owner: Owner) => void, RegExp, string])[] = [
    [
      (owner) => {
        owner.refuses = failure('INVALID_ARGUMENT', 'it is being moved');
      },
      /being moved/,
      'absent',
    ],
    [
      (owner) => {
        owner.world.put(NAMES[0] as string, 'put', 9);
      },
      /came after something else/,
      'put',
    ],
    [
      (owner) => {
        raiseNow(owner.world, 3);
      },
      /older than what was deleted here/,
      'absent',
    ],
    [
      (owner) => {
        owner.world.up().suspect(0, 9, () => undefined);
      },
      /where something may be missing/,
      'absent',
    ],
  ];
  for (const [meanwhile, text, value] of cases) {
    const owner = new Owner();
    owner.open();
    owner.send();
    meanwhile(owner);
    refused(t, owner.now(owner.take()), 'INVALID_ARGUMENT', text);
    owner.world.time.runFor(100);
    t.deepEqual(owner.staged, []);
    t.is(valueAt(owner.world, NAMES[0] as string), value);
    t.deepEqual(owner.held.at(-1), []);
  }
});

test('a disk without room is told of before and while it is written, and the partition is as it was', (t) => {
  const full = new Owner({ capacityBytes: 5_000_000 });
  refused(t, full.open(), 'DISK_FULL', /has \d+ bytes, and there is room for 0/);
  t.deepEqual(full.staged, []);
  let refusals = 0;
  let stops = 0;
  for (let k = 1; k <= 25; k++) {
    const owner = new Owner();
    const opened = owner.open();
    t.false(isRefused(opened));
    owner.world.disk.fail({ at: k, code: 'ENOSPC' });
    const reply = owner.send() ?? owner.now(owner.take());
    owner.world.disk.fail(null);
    if (!isRefused(reply)) {
      t.deepEqual(reply, { ready: true });
      continue;
    }
    if (owner.world.fatal !== null) {
      // A file that cannot take its place stops the node, as with a move: then one of the two is there.
      owner.crash('kill');
      const values = NAMES.slice(0, 8).map((name) => valueAt(owner.world, name));
      t.true(values.every((value) => value === values[0]));
      t.deepEqual(owner.world.up().status().quarantined, []);
      stops += 1;
      continue;
    }
    refusals += 1;
    t.is(reply.code, 'DISK_FULL', reply.text);
    owner.world.time.runFor(100);
    t.deepEqual(owner.staged, []);
    t.deepEqual(owner.bring(), { ready: true }, `after ${k}`);
    holdsAll(t, owner, `after ${k}`);
  }
  t.true(refusals > 5 && stops < 4, `${refusals}, ${stops}`);
});

test('a node that goes down at any moment has all of it or nothing, and the next time it is brought', (t) => {
  const seen = { before: 0, doubted: 0, after: 0 };
  for (let round = 0; round < 70; round++) {
    const owner = new Owner({ seed: 100 + round });
    owner.open();
    owner.send();
    owner.take();
    for (let i = 0; i < round; i++) owner.world.time.step();
    owner.crash(round % 2 === 0 ? 'kill' : 'power');
    owner.world.time.runFor(100);
    t.deepEqual(owner.world.up().status().quarantined, []);
    t.deepEqual(owner.staged, [], `round ${round}`);
    const values = NAMES.slice(0, 8).map((name) => valueAt(owner.world, name));
    t.true(
      values.every((value) => value === values[0]),
      `round ${round}: ${values.join()}`,
    );
    const isThere = values[0] !== 'absent';
    const isSuspect = owner.world.up().status().suspectPartitions.length > 0;
    seen[isThere ? (isSuspect ? 'doubted' : 'after') : 'before'] += 1;
    if (!isThere && !isSuspect) t.deepEqual(owner.bring(), { ready: true }, `round ${round}`);
    if (!isSuspect) holdsAll(t, owner, `round ${round}`);
    checkWhole(t, owner.world);
  }
  t.true(seen.before > 5 && seen.after > 5, JSON.stringify(seen));
});

test('who asks again is told what became of it, once; what nobody goes on with is given up', (t) => {
  const owner = new Owner();
  owner.open();
  owner.send();
  const [first, second] = [owner.take(), owner.take()];
  t.deepEqual(owner.now(first), { ready: false }, 'another one asks by now');
  t.deepEqual(owner.now(second), { ready: true });
  refused(t, owner.now(owner.take()), 'INVALID_ARGUMENT', /No such file/);

  const left = new Owner();
  left.open();
  left.send();
  t.true(left.staged.length > 0);
  left.world.time.runFor(130_000);
  t.deepEqual(left.staged, []);
  refused(t, left.now(left.take()), 'INVALID_ARGUMENT', /No such file/);
  t.deepEqual(left.bring(), { ready: true });
});

test('a take that lasts is answered meanwhile', (t) => {
  const owner = new Owner();
  owner.open();
  owner.send();
  owner.world.disk.slow(400);
  const told = owner.take();
  t.deepEqual(owner.now(told), { ready: false });
  let reply = owner.now(owner.take());
  for (let i = 0; i < 20 && 'ready' in reply && !reply.ready; i++) reply = owner.now(owner.take());
  t.deepEqual(reply, { ready: true });
});
