import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import test from 'ava';
import type { Connection } from '../../src/env/transport.js';
import { BufferPool } from '../../src/lib/buffer-pool.js';
import { TcpDialer } from '../../src/net/dialer.js';
import { FlushQueue } from '../../src/net/flush-queue.js';
import { Events, say, sleep, temporaryFolder, until } from './pair.js';

const dialer = new TcpDialer(new BufferPool(), new FlushQueue());

async function server(t: ExecutionContext, accept: (socket: Socket) => void, path?: string): Promise<string> {
  const made: Server = createServer(accept);
  made.listen(path ?? { port: 0, host: '127.0.0.1' });
  t.teardown(() => made.close());
  await until(() => made.listening);
  return path === undefined ? `127.0.0.1:${(made.address() as AddressInfo).port}` : `unix:${path}`;
}

interface Dialled {
  readonly connection: Connection;
  readonly events: Events;
}

function dial(t: ExecutionContext, address: string, timeoutMs: number = 2_000): Promise<Dialled> {
  return new Promise((resolve, reject) => {
    dialer.dial(
      address,
      timeoutMs,
      (connection) => {
        const events = new Events();
        t.teardown(() => {
          connection.destroy('The test is over');
        });
        setImmediate(() => resolve({ connection, events }));
        return events;
      },
      reject,
    );
  });
}

const echo = (socket: Socket): void => {
  socket.on('error', () => undefined);
  socket.pipe(socket);
};

test('dials TCP and unix, and gets back what it says', async (t) => {
  const addresses = [await server(t, echo), await server(t, echo, join(temporaryFolder(t), 's'))];
  for (const address of addresses) {
    const { connection, events } = await dial(t, address);
    t.is(connection.group, 'client');
    say(connection, 'hello');
    await until(() => events.received.length === 5);
    connection.sendChunk(Buffer.alloc(500_000, 1));
    say(connection, 'end');
    await until(() => events.received.length === 500_008);
    t.is(events.received.subarray(-3).toString(), 'end');
  }
});

test('many connections read into one buffer and do not mix up', async (t) => {
  const address = await server(t, echo);
  const dialled = await Promise.all(Array.from({ length: 20 }, () => dial(t, address)));
  for (let round = 0; round < 20; round++) {
    dialled.forEach(({ connection }, i) => {
      say(connection, `${i},`.repeat(500));
    });
    await until(() => dialled.every(({ events }, i) => events.received.length === (round + 1) * `${i},`.length * 500));
  }
  dialled.forEach(({ events }, i) => {
    t.is(events.received.toString(), `${i},`.repeat(10_000));
  });
});

test('reading pauses and goes on, on a dialled connection too', async (t) => {
  const address = await server(t, echo);
  const { connection, events } = await dial(t, address);
  events.onChunk = () => {
    connection.pauseReading();
  };
  say(connection, 'first');
  await until(() => events.received.length === 5);
  say(connection, 'second');
  await sleep(30);
  t.is(events.received.length, 5);
  connection.resumeReading();
  await until(() => events.received.length === 11);
});

test('the server closes: onClosed, once', async (t) => {
  const { events } = await dial(t, await server(t, (socket) => socket.end('bye')));
  await until(() => events.closed.length > 0);
  t.is(events.received.toString(), 'bye');
  t.deepEqual(events.closed, ['The other side closed the connection']);
});

test('end says goodbye and closes', async (t) => {
  let heard = '';
  const address = await server(t, (socket) => socket.on('data', (chunk) => (heard += chunk.toString())));
  const { connection, events } = await dial(t, address);
  say(connection, 'last words');
  connection.end();
  await until(() => events.closed.length > 0);
  t.is(heard, 'last words');
  t.deepEqual(events.closed, ['Closed by this side']);
});

test('nobody there: an error that names the address', async (t) => {
  const gone = createServer().listen(0, '127.0.0.1');
  await until(() => gone.listening);
  const { port } = gone.address() as AddressInfo;
  await new Promise((resolve) => gone.close(resolve));
  await t.throwsAsync(dial(t, `127.0.0.1:${port}`), {
    message: new RegExp(`^Cannot connect to 127.0.0.1:${port}: .*ECONNREFUSED`),
  });
  await t.throwsAsync(dial(t, 'unix:/nowhere/at-all'), {
    message: /^Cannot connect to unix:\/nowhere\/at-all: .*ENOENT/,
  });
  await t.throwsAsync(dial(t, 'no-port'), { message: 'no-port is not host:port, [ipv6]:port or unix:/path' });
});

test('no answer in time is an error; a cancelled dial says nothing', async (t) => {
  // A backlog of one that is full: the kernel lets further connections wait.
  const stuck = createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 });
  t.teardown(() => stuck.close());
  await until(() => stuck.listening);
  const address = `127.0.0.1:${(stuck.address() as AddressInfo).port}`;
  let calls = 0;
  const count = (): Events => {
    calls++;
    return new Events();
  };
  dialer.dial(address, 1_000, count, count).cancel();
  dialer.dial('nonsense', 1_000, count, count).cancel();
  await sleep(50);
  t.is(calls, 0);
  await t.throwsAsync(dial(t, '192.0.2.1:9', 80), { message: /^Cannot connect to 192\.0\.2\.1:9: / });
});
