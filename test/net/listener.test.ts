import { execFile } from 'node:child_process';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import test from 'ava';
import type { Connection } from '../../src/env/transport.js';
import { listen, serve } from '../../src/net/listener.js';
import { Events, harness, listening, portOf, say, temporaryFolder, until } from './pair.js';

function echo(connection: Connection): Events {
  const events = new Events();
  events.onChunk = (chunk) => {
    say(connection, Buffer.from(chunk).toString());
  };
  return events;
}

function hears(target: number | string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = typeof target === 'number' ? connect(target, '127.0.0.1') : connect(target);
    socket.once('data', (chunk) => {
      resolve(chunk.toString());
      socket.destroy();
    });
    socket.once('error', reject);
    socket.once('close', () => {
      reject(new Error('closed without a word'));
    });
    socket.write(text);
  });
}

function failing(options: Parameters<typeof listen>[0]): Promise<string> {
  return new Promise((resolve) => {
    listen(options, (error) => {
      resolve(error === null ? 'no error' : error.message);
    });
  });
}

test('port 0 becomes a port, and remote says who it is', async (t) => {
  const seen: string[] = [];
  const { options } = harness(
    (connection) => {
      seen.push(`${connection.group} ${connection.remote}`);
      return echo(connection);
    },
    { group: 'peer' },
  );
  const listener = await listening(t, options);
  t.regex(listener.address, /^127\.0\.0\.1:[1-9]\d+$/);
  t.is(await hears(portOf(listener.address), 'hello'), 'hello');
  t.regex(seen.join(), /^peer 127\.0\.0\.1:\d+$/);
});

test('an address that is taken is an error with the next step', async (t) => {
  const { options } = harness(echo);
  const listener = await listening(t, options);
  t.is(
    await failing({ ...options, address: listener.address }),
    `Cannot listen on ${listener.address}: another process does; stop it or choose another address`,
  );
  t.is(await failing({ ...options, address: 'nonsense' }), 'nonsense is not host:port, [ipv6]:port or unix:/path');
  t.regex(
    await failing({ ...options, address: '203.0.113.77:0' }),
    /^Cannot listen on 203\.0\.113\.77:0: this host has no such address/,
  );
});

test('a full house refuses newcomers, counts them, and takes the next when there is room', async (t) => {
  const made = harness(echo, { connectionsMax: 1 });
  const listener = await listening(t, made.options);
  const first = connect(portOf(listener.address), '127.0.0.1');
  await new Promise<void>((resolve) => first.once('data', () => resolve()).write('x'));
  await t.throwsAsync(hears(portOf(listener.address), 'x'));
  await t.throwsAsync(hears(portOf(listener.address), 'x'));
  t.is(made.refused.total, 2);
  t.deepEqual(made.log.lines, ['connections-refused'], 'one line for many');
  first.destroy();
  await until(() => first.closed);
  let answer = '';
  while (answer === '') answer = await hears(portOf(listener.address), 'again').catch(() => '');
  t.is(answer, 'again');
});

test('close frees the port and leaves connections alone', async (t) => {
  const { options } = harness(echo);
  const listener = await listening(t, options);
  const socket = connect(portOf(listener.address), '127.0.0.1');
  t.teardown(() => socket.destroy());
  const once = (text: string): Promise<string> =>
    new Promise((resolve) => socket.once('data', (chunk) => resolve(chunk.toString())).write(text));
  t.is(await once('before'), 'before');
  await new Promise<void>((resolve) => listener.close(resolve));
  t.is(await once('after'), 'after');
  const again = await listening(t, { ...options, address: listener.address });
  t.is(again.address, listener.address);
});

test('a unix socket is for its user only, answers, and goes when it is closed', async (t) => {
  const path = join(temporaryFolder(t), 'admin.sock');
  const remotes: string[] = [];
  const { options } = harness(
    (connection) => {
      remotes.push(connection.remote);
      return echo(connection);
    },
    { address: `unix:${path}`, group: 'admin' },
  );
  const umask = process.umask();
  const listener = await listening(t, options);
  t.is(process.umask(), umask);
  t.is(statSync(path).mode & 0o777, 0o600);
  t.is(listener.address, `unix:${path}`);
  t.is(await hears(path, 'hello'), 'hello');
  t.deepEqual(remotes, ['unix']);
  await new Promise<void>((resolve) => listener.close(resolve));
  t.false(existsSync(path));
});

test('the socket of a dead process is taken over, that of a living one is not', async (t) => {
  const path = join(temporaryFolder(t), 'admin.sock');
  const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  await new Promise<void>((resolve) => execFile(process.execPath, ['-e', script], () => resolve()));
  t.true(statSync(path).isSocket(), 'left behind');
  const { options } = harness(echo, { address: `unix:${path}`, group: 'admin' });
  await listening(t, options);
  t.is(await hears(path, 'hello'), 'hello');
  t.is(await failing(options), `Another process listens on ${path}; stop it or choose another path`);
  t.is(await hears(path, 'still there'), 'still there');
});

test('a file that is not a socket is left alone', async (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, 'precious');
  writeFileSync(path, 'data');
  const { options } = harness(echo, { address: `unix:${path}` });
  t.is(await failing(options), `${path} exists and is not a socket; choose another path or remove it`);
  t.is(statSync(path).size, 4);
  t.is(
    await failing({ ...options, address: `unix:${folder}/absent/admin.sock` }),
    `Cannot listen on unix:${folder}/absent/admin.sock: the folder does not exist or this user may not write to it`,
  );
});

test('running out of descriptors closes newcomers only, and accepting goes on', async (t) => {
  const main = new URL('./out-of-descriptors.js', import.meta.url).pathname;
  const output = await new Promise<string>((resolve) => {
    const command = `ulimit -n 40 && exec ${JSON.stringify(process.execPath)} ${JSON.stringify(main)}`;
    const child = execFile('bash', ['-c', command], (error, stdout, stderr) => {
      resolve(`${stdout}${stderr}${error === null ? '' : error.message}`);
    });
    // The clients live here, where descriptors are not short.
    child.stdout?.once('data', (line: Buffer) => {
      const port = portOf(line.toString().trim());
      const sockets = Array.from({ length: 60 }, () => connect(port, '127.0.0.1').on('error', () => undefined));
      setTimeout(() => {
        for (const socket of sockets) socket.destroy();
        setTimeout(() => {
          hears(port, 'alive').then(
            (answer) => child.stdin?.end(answer),
            () => child.stdin?.end('dead'),
          );
        }, 200);
      }, 300);
    });
  });
  t.regex(output, /\naccepted (1\d|2\d|3\d)\nanswered alive\n/);
});

test('a server that is not ours is not removed', async (t) => {
  const path = join(temporaryFolder(t), 'other.sock');
  const other = createServer().listen(path);
  t.teardown(() => other.close());
  await until(() => other.listening);
  const { options } = harness(echo, { address: `unix:${path}` });
  t.regex(await failing(options), /^Another process listens on /);
  t.true(existsSync(path));
});

test('failures of accept are counted, and a storm of them is one line', (t) => {
  const made = harness(echo);
  const server = createServer();
  serve(server, made.options);
  for (let i = 0; i < 100; i++) server.emit('error', new Error('accept ENFILE'));
  t.is(made.acceptErrors.total, 100);
  t.deepEqual(made.log.lines, ['accept-failed']);
});
