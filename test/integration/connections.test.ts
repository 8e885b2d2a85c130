/* Connections that misbehave are closed in time, with a word where one can be said; others never notice. */
import { statSync } from 'node:fs';
import type { Socket } from 'node:net';
import test from 'ava';
import * as kinds from '../../src/wire/kinds.js';
import { partita } from '../../src/wire/protobuf.js';
import { Daemon } from '../support/daemon.js';
import { helloFrame } from '../support/frame-mutations.js';
import { encodeFrame, FrameCutter, newPutId, openSocket, RawClient, type RawFrame } from '../support/raw-client.js';

const v1 = partita.v1;
const QUICK = ['--limits-hello-timeout', '300ms', '--limits-frame-timeout', '500ms', '--limits-idle-timeout', '1s'];

/** Everything that a socket gets until it is closed, and after how many ms that was. */
function untilClosed(
  socket: Socket,
  timeoutMs: number,
): Promise<{ readonly frames: readonly RawFrame[]; readonly ms: number }> {
  const cutter = new FrameCutter();
  const frames: RawFrame[] = [];
  const since = performance.now();
  socket.on('data', (chunk: Buffer) => frames.push(...cutter.push(chunk)));
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`Not closed within ${timeoutMs} ms`));
    }, timeoutMs);
    socket.once('end', () => socket.end());
    socket.once('close', () => {
      clearTimeout(timer);
      resolve({ frames, ms: performance.now() - since });
    });
  });
}

const lastError = (frames: readonly RawFrame[]): string => {
  const last = frames.at(-1);
  return last?.kind === kinds.ERROR
    ? v1.Error.decode(last.body).text
    : `no error, but ${frames.map(({ kind }) => kinds.nameOfKind(kind)).join()}`;
};

test.serial('A connection that says nothing, or half a hello, is closed after the hello timeout', async (t) => {
  const daemon = await Daemon.startFor(t, { flags: QUICK });
  for (const bytes of [Buffer.alloc(0), helloFrame().subarray(0, 7), helloFrame().subarray(0, -1)]) {
    const socket = await openSocket(daemon.ready.client);
    socket.write(bytes);
    const { frames, ms } = await untilClosed(socket, 3_000);
    t.regex(lastError(frames), /HELLO/);
    t.true(ms > 200 && ms < 2_000, `${ms} ms`);
  }
});

test.serial('A frame that is begun and not completed is not waited for', async (t) => {
  const daemon = await Daemon.startFor(t, { flags: QUICK });
  const socket = await openSocket(daemon.ready.client);
  const put = v1.Put.encode({
    key: Buffer.from('k'),
    value: Buffer.alloc(1_000),
    putId: newPutId(),
    budgetMs: 1_000,
  }).finish();
  socket.write(Buffer.concat([helloFrame(), encodeFrame(kinds.PUT, 2, put).subarray(0, 500)]));
  const { frames } = await untilClosed(socket, 5_000);
  t.is(frames[0]?.kind, kinds.HELLO_REPLY);
  t.regex(lastError(frames), /frame/i);
});

test.serial('A connection without requests is closed, one with requests is not', async (t) => {
  const daemon = await Daemon.startFor(t, { flags: QUICK });
  const busy = await RawClient.connect(daemon.ready.client);
  const idle = await openSocket(daemon.ready.client);
  idle.write(helloFrame());
  const closed = untilClosed(idle, 10_000);
  for (let i = 0; i < 15; i++) {
    await busy.ping();
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  const { ms } = await closed;
  t.true(ms > 900 && ms < 4_000, `${ms} ms`);
  busy.close();
});

test.serial('What is no frame, or comes before hello, gets an error and the end', async (t) => {
  const daemon = await Daemon.startFor(t);
  for (const [bytes, text] of [
    [encodeFrame(kinds.GET, 1, new Uint8Array(0)), /HELLO/],
    [encodeFrame(kinds.HELLO, 1, Buffer.alloc(5_000)), /4096/],
    [Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'), /./],
    [Buffer.concat([helloFrame(), encodeFrame(0x40, 2, new Uint8Array(0))]), /listener|request/],
    [Buffer.concat([helloFrame(), encodeFrame(kinds.GET, 2, Buffer.from([0xff, 0xff]))]), /./],
  ] as const) {
    const socket = await openSocket(daemon.ready.client);
    socket.write(bytes);
    t.regex(lastError((await untilClosed(socket, 5_000)).frames), text);
  }
});

test.serial('A reader that does not read holds up neither others nor the memory', async (t) => {
  const daemon = await Daemon.startFor(t);
  const good = await RawClient.connect(daemon.ready.client);
  await good.write({ key: 'big', value: Buffer.alloc(1_000_000), context: new Uint8Array(0), putId: newPutId() });
  const deaf = await openSocket(daemon.ready.client);
  deaf.pause();
  const get = v1.Get.encode({ key: Buffer.from('big'), budgetMs: 60_000 }).finish();
  deaf.write(
    Buffer.concat([helloFrame(), ...Array.from({ length: 500 }, (_, i) => encodeFrame(kinds.GET, 2 + i, get))]),
  );
  await new Promise((resolve) => setTimeout(resolve, 500));
  const since = performance.now();
  for (let i = 0; i < 20; i++) await good.ping();
  t.true(performance.now() - since < 1_000);
  deaf.destroy();
  good.close();
});

test.serial('A connection that was answered with as much as it may have queued goes on', async (t) => {
  const daemon = await Daemon.startFor(t);
  const client = await RawClient.connect(daemon.ready.client);
  const value = Buffer.alloc(1_048_576);
  await client.write({ key: 'k', value, context: new Uint8Array(0), putId: newPutId() });
  for (let i = 0; i < 3; i++) t.is((await client.get('k')).values[0]?.length, value.length);
  await client.ping();
  client.close();
});

test.serial('The peer listener serves no data, and the admin socket is for its owner alone', async (t) => {
  const daemon = await Daemon.startFor(t);
  const socket = await openSocket(daemon.ready.peer);
  socket.write(
    Buffer.concat([
      helloFrame(),
      encodeFrame(kinds.GET, 2, v1.Get.encode({ key: Buffer.from('k'), budgetMs: 1_000 }).finish()),
    ]),
  );
  const { frames } = await untilClosed(socket, 5_000);
  t.false(frames.some(({ kind }) => kind === kinds.GET_REPLY));
  t.is(statSync(daemon.ready.admin.replace('unix:', '')).mode & 0o777, 0o600);
});
