import { Socket } from 'node:net';
import test from 'ava';
import { Prng } from '../../src/lib/prng.js';
import { OUTPUT_BUFFER_BYTES } from '../../src/lib/buffer-pool.js';
import { WRITE_BYTES_MAX } from '../../src/net/tcp-connection.js';
import { pair, say, sleep, turn, until } from './pair.js';
import type { Pair } from './pair.js';

/** Counts what reaches the socket: single writes, and corked ones as one. */
function countWrites(run: () => void): number {
  const methods = ['_write', '_writev'] as const;
  const prototype = Socket.prototype as unknown as Record<string, (...given: unknown[]) => unknown>;
  const originals = methods.map((name) => prototype[name] as (...given: unknown[]) => unknown);
  let writes = 0;
  methods.forEach((name, i) => {
    prototype[name] = function (this: unknown, ...given: unknown[]): unknown {
      writes++;
      return originals[i]?.apply(this, given);
    };
  });
  try {
    run();
  } finally {
    methods.forEach((name, i) => {
      prototype[name] = originals[i] as (...given: unknown[]) => unknown;
    });
  }
  return writes;
}

function listenTo({ theirs }: Pair): { bytes(): Buffer } {
  const chunks: Buffer[] = [];
  theirs.on('data', (chunk: Buffer) => chunks.push(chunk));
  return { bytes: () => Buffer.concat(chunks) };
}

/** Sends until the kernel takes no more, for good; returns how many bytes that took. */
async function fillUp({ ours }: Pair): Promise<number> {
  let sent = 0;
  for (let stuck = 0; stuck < 3;) {
    const before = ours.queuedBytes;
    if (before < 400_000) {
      const at = ours.claim(60_000);
      ours.output.fill(1, at, at + 60_000);
      sent += 60_000;
      await turn();
      stuck = 0;
    } else {
      await sleep(15);
      stuck = ours.queuedBytes === before ? stuck + 1 : 0;
    }
  }
  return sent;
}

test.serial('all that is claimed in a turn leaves in one write, at its end', async (t) => {
  const it = await pair(t);
  const heard = listenTo(it);
  for (let i = 0; i < 100; i++) say(it.ours, `<${i}>`);
  t.is(it.ours.queuedBytes, 390);
  await turn();
  t.is(it.ours.queuedBytes, 0, 'the kernel has it');
  await until(() => heard.bytes().length === 390);
  t.is(heard.bytes().toString(), Array.from({ length: 100 }, (_, i) => `<${i}>`).join(''));
  t.is(it.pool.free, 1, 'and its buffer is back');

  for (let i = 0; i < 100; i++) say(it.ours, 'x');
  t.is(
    countWrites(() => {
      it.options.queue.flushAll();
    }),
    1,
  );
});

test.serial('claims and chunks of one turn keep their order and leave in one write', async (t) => {
  const it = await pair(t);
  const heard = listenTo(it);
  say(it.ours, 'one ');
  say(it.ours, 'two ');
  it.ours.sendChunk(Buffer.from('THREE '));
  it.ours.sendChunk(Buffer.from('FOUR '));
  say(it.ours, 'five ');
  it.ours.sendChunk(Buffer.alloc(0));
  say(it.ours, 'six');
  t.is(
    countWrites(() => {
      it.options.queue.flushAll();
    }),
    1,
  );
  await until(() => heard.bytes().length === 27);
  t.is(heard.bytes().toString(), 'one two THREE FOUR five six');
});

test.serial('a chunk is not copied', async (t) => {
  const it = await pair(t);
  const heard = listenTo(it);
  const chunk = Buffer.alloc(100, 1);
  it.ours.sendChunk(chunk);
  chunk.fill(2); // against the contract, to see whose bytes leave
  await until(() => heard.bytes().length === 100);
  t.is(heard.bytes()[0], 2);
});

test.serial('what is claimed beyond the largest write does not wait for the end of the turn', async (t) => {
  const it = await pair(t);
  listenTo(it);
  for (let i = 0; i < 8; i++) it.ours.output.fill(i, it.ours.claim(OUTPUT_BUFFER_BYTES));
  t.true(it.ours.queuedBytes < 8 * OUTPUT_BUFFER_BYTES, 'some of it has gone');
});

test.serial('a claim larger than a buffer gets one of its own', async (t) => {
  const it = await pair(t);
  const heard = listenTo(it);
  say(it.ours, 'a');
  const size = 3 * WRITE_BYTES_MAX;
  const at = it.ours.claim(size);
  it.ours.output.fill(7, at, at + size);
  say(it.ours, 'z');
  await until(() => heard.bytes().length === size + 2);
  t.true(heard.bytes().equals(Buffer.concat([Buffer.from('a'), Buffer.alloc(size, 7), Buffer.from('z')])));
});

test.serial('random claims and chunks to a reader that stops and goes on arrive as they were sent', async (t) => {
  const it = await pair(t);
  const prng = new Prng(20_261);
  const sent: Buffer[] = [];
  let sentBytes = 0;
  const chunks: Buffer[] = [];
  let heardBytes = 0;
  it.theirs.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    heardBytes += chunk.length;
    if (!prng.chance(0.2)) return;
    it.theirs.pause();
    setTimeout(() => it.theirs.resume(), prng.int(4));
  });
  while (sentBytes < 20_000_000) {
    const size = 1 + prng.int(prng.chance(0.05) ? 400_000 : prng.chance(0.2) ? 40_000 : 2_000);
    const bytes = Buffer.alloc(size, prng.int(256));
    bytes.writeUInt8(prng.int(256), prng.int(size));
    sent.push(bytes);
    sentBytes += size;
    if (prng.chance(0.3)) {
      it.ours.sendChunk(bytes);
    } else {
      const at = it.ours.claim(size);
      it.ours.output.set(bytes, at);
    }
    if (prng.chance(0.1)) await turn();
    if (it.ours.queuedBytes > 4_000_000) await until(() => it.ours.queuedBytes < 1_000_000);
  }
  await until(() => heardBytes === sentBytes, 20_000);
  t.true(Buffer.concat(chunks).equals(Buffer.concat(sent)), 'no byte of a buffer given back too early');
  await until(() => it.ours.queuedBytes === 0);
  t.true(it.events.drained > 0);
  t.true(it.pool.given > 0);
});

test.serial(
  'a reader that does not read: the queue is seen, costs what it weighs, and drains in the end',
  async (t) => {
    const it = await pair(t);
    let turns = 0;
    let sent = 0;
    sent += await fillUp(it);
    const before = it.ours.queuedBytes;
    const memoryBefore = process.memoryUsage().arrayBuffers;
    for (; turns < 5_000; turns++) {
      say(it.ours, 'x'.repeat(100));
      sent += 100;
      if (turns % 10 === 0) await turn();
    }
    t.is(it.ours.queuedBytes, before + 500_000);
    t.true(process.memoryUsage().arrayBuffers - memoryBefore < 2_000_000, 'not a buffer a write');
    await sleep(50);
    t.is(it.events.drained, 0);
    t.is(it.ours.queuedBytes, before + 500_000, 'nobody reads, nothing goes');

    const heard = listenTo(it);
    await until(() => it.ours.queuedBytes === 0);
    t.is(it.events.drained, 1);
    await until(() => heard.bytes().length === sent);
    t.false(heard.bytes().includes(0xee));
  },
);

test.serial('the queue shrinks while a slow reader takes a large value', async (t) => {
  const it = await pair(t);
  it.ours.sendChunk(Buffer.alloc(16_000_000, 3));
  await turn();
  const first = it.ours.queuedBytes;
  t.true(first > 4_000_000);
  let heard = 0;
  let goOn = false;
  it.theirs.on('data', (chunk: Buffer) => {
    heard += chunk.length;
    if (heard > 8_000_000 && !goOn) it.theirs.pause();
  });
  await until(() => heard > 8_000_000);
  await until(() => it.ours.queuedBytes < first - 2_000_000);
  goOn = true;
  it.theirs.resume();
  await until(() => heard === 16_000_000);
  await until(() => it.events.drained === 1);
});

test.serial('whoever paused is told that all is out, also when the kernel took it at once', async (t) => {
  const it = await pair(t);
  say(it.ours, 'nobody waits');
  await sleep(20);
  t.is(it.events.drained, 0);
  it.ours.pauseReading();
  say(it.ours, 'somebody waits');
  await until(() => it.events.drained === 1);
  it.ours.resumeReading();
  say(it.ours, 'nobody waits');
  await sleep(20);
  t.is(it.events.drained, 1);
});

test.serial('reading pauses and goes on', async (t) => {
  const it = await pair(t);
  it.events.onChunk = () => {
    it.ours.pauseReading();
  };
  it.theirs.write('first');
  await until(() => it.events.received.length === 5);
  it.theirs.write('second');
  await sleep(30);
  t.is(it.events.received.length, 5);
  it.ours.resumeReading();
  await until(() => it.events.received.length === 11);
  t.is(it.events.received.toString(), 'firstsecond');
});

test.serial('end sends what is queued, although the other side has sent what nobody read', async (t) => {
  const it = await pair(t);
  const heard = listenTo(it);
  let ended = false;
  it.theirs.on('end', () => {
    ended = true;
  });
  it.ours.pauseReading();
  it.theirs.write(Buffer.alloc(200_000));
  await sleep(20);
  say(it.ours, 'last words');
  it.ours.end();
  say(it.ours, 'too late');
  it.ours.sendChunk(Buffer.from('too late'));
  await until(() => ended);
  t.is(heard.bytes().toString(), 'last words');
  it.theirs.end();
  await until(() => it.events.closed.length > 0);
  t.deepEqual(it.events.closed, ['Closed by this side']);
  t.is(it.events.received.length, 0, 'what came after end is dropped');
});

test.serial('end waits for a queue that is not empty', async (t) => {
  const it = await pair(t);
  it.ours.sendChunk(Buffer.alloc(12_000_000, 5));
  say(it.ours, 'last');
  it.ours.end();
  t.true(it.ours.queuedBytes > 0);
  const heard = listenTo(it);
  await until(() => heard.bytes().length === 12_000_004);
  t.is(heard.bytes().subarray(-4).toString(), 'last');
});

test.serial('the other side closes: what was queued still leaves, then onClosed, once', async (t) => {
  const it = await pair(t);
  const heard = listenTo(it);
  it.events.onChunk = () => {
    say(it.ours, 'answer');
  };
  it.theirs.end('question');
  await until(() => it.events.closed.length > 0);
  t.deepEqual(it.events.closed, ['The other side closed the connection']);
  t.is(heard.bytes().toString(), 'answer');
  await sleep(20);
  t.is(it.events.closed.length, 1);
});

test.serial('the other side resets: onClosed says so', async (t) => {
  const it = await pair(t);
  it.theirs.resetAndDestroy();
  await until(() => it.events.closed.length > 0);
  t.deepEqual(it.events.closed, ['read ECONNRESET']);
});

test.serial('destroy gives its reason, and everything after it is harmless', async (t) => {
  const it = await pair(t);
  say(it.ours, 'never sent');
  it.ours.destroy('A reason');
  it.ours.destroy('Another one');
  say(it.ours, 'into the void');
  it.ours.sendChunk(Buffer.alloc(1_000_000));
  await until(() => it.events.closed.length > 0);
  t.deepEqual(it.events.closed, ['A reason']);
  t.is(it.ours.queuedBytes, 0);
  for (let i = 0; i < 3; i++) say(it.ours, 'x'.repeat(100_000));
  it.ours.end();
  it.ours.pauseReading();
  it.ours.resumeReading();
  await turn();
  t.is(it.ours.queuedBytes, 0);
  t.is(it.events.closed.length, 1);
});

test.serial('a destroyed connection gives no buffer back that the kernel may still read', async (t) => {
  const it = await pair(t);
  await fillUp(it);
  const given = it.pool.given;
  it.ours.destroy('Enough');
  await until(() => it.events.closed.length > 0);
  t.is(it.pool.given, given);
});
