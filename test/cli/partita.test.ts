/* The command line against a scripted node: what is printed, what goes to stderr, and the exit code. */
import test from 'ava';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FakeServer } from '../support/fake-server.js';
import { runCli } from '../support/run-cli.js';
import type { Ran, Surroundings } from '../support/run-cli.js';
import { failed } from '../support/fake-node.js';

interface Bench {
  readonly server: FakeServer;
  readonly folder: string;
  run(argv: readonly string[], surroundings?: Surroundings): Promise<Ran>;
}

/** A server, a folder, and both gone afterwards. */
async function withServer(work: (bench: Bench) => Promise<void>): Promise<void> {
  const server = await FakeServer.start();
  const folder = mkdtempSync(join(tmpdir(), 'partita-cli-'));
  const run: Bench['run'] = (argv, surroundings = {}) =>
    runCli(argv, { ...surroundings, env: { PARTITA_SERVER: server.address, ...surroundings.env } });
  try {
    await work({ server, folder, run });
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true });
  }
}

const WRITTEN = '2023-11-14T22:13:20.000Z';

test('put and get, piped: bytes in, the same bytes out, and nothing else', async (t) => {
  await withServer(async ({ run }) => {
    const bytes = Buffer.from(Array.from({ length: 5_000 }, (_, i) => i % 256));
    t.deepEqual(await run(['put', 'k', '-'], { stdin: bytes }), { code: 0, out: '', bytes: Buffer.alloc(0), err: '' });
    const got = await run(['get', 'k']);
    t.deepEqual(got.bytes, bytes);
    t.deepEqual([got.code, got.err], [0, '']);
    await run(['put', 'empty', ''], {});
    t.deepEqual(await run(['get', 'empty']), { code: 0, out: '', bytes: Buffer.alloc(0), err: '' });
  });
});

test('The value may stand on the command line, in a file, or come by standard input without being asked for', async (t) => {
  await withServer(async ({ run, folder }) => {
    const file = join(folder, 'value');
    writeFileSync(file, 'from a file');
    await run(['put', 'a', 'from the line']);
    await run(['put', 'b', '--file', file]);
    await run(['put', 'c'], { stdin: Buffer.from('from a pipe') });
    t.deepEqual(
      [(await run(['get', 'a'])).out, (await run(['get', 'b'])).out, (await run(['get', 'c'])).out],
      ['from the line', 'from a file', 'from a pipe'],
    );
  });
});

test('get on a terminal is a table with the context', async (t) => {
  await withServer(async ({ run }) => {
    await run(['put', 'k', 'two\nlines']);
    const { out, code } = await run(['get', 'k'], { isTTY: true, env: { NO_COLOR: '1' } });
    t.is(code, 0);
    t.is(
      out,
      [
        '┌───┬────────────┬───────┬──────────────────────────┬─────────┐',
        '│ # │ value      │ bytes │ written                  │ expires │',
        '├───┼────────────┼───────┼──────────────────────────┼─────────┤',
        `│ 1 │ two\\nlines │ 9     │ ${WRITTEN} │ never   │`,
        '└───┴────────────┴───────┴──────────────────────────┴─────────┘',
        `context ${Buffer.from('seen:1').toString('base64url')}`,
        '',
      ].join('\n'),
    );
  });
});

test('Bold titles are for terminals that want them', async (t) => {
  await withServer(async ({ run }) => {
    await run(['put', 'k', 'v']);
    const escape = '\u001b[';
    t.true((await run(['get', 'k'], { isTTY: true })).out.includes(escape));
    t.false((await run(['get', 'k'], { isTTY: true, env: { NO_COLOR: '1' } })).out.includes(escape));
    t.false((await run(['get', 'k', '-o', 'table'])).out.includes(escape));
  });
});

test('A terminal gets a newline after a raw value, and never its control characters in a table', async (t) => {
  await withServer(async ({ run }) => {
    await run(['put', 'k', 'red \u001b[31m']);
    t.is((await run(['get', 'k', '-o', 'raw'], { isTTY: true })).out, 'red \u001b[31m\n');
    t.true((await run(['get', 'k', '-o', 'table'])).out.includes('red \\u001b[31m'));
  });
});

test('get -o json has text as text, bytes as base64, the context and the meta', async (t) => {
  await withServer(async ({ run }) => {
    await run(['put', 'k', 'text']);
    await run(['put', 'k'], { stdin: Buffer.from([0xff, 0x00]) });
    const { out, code } = await run(['-o', 'json', 'get', 'k']);
    const shown = JSON.parse(out) as Record<string, unknown>;
    t.is(code, 0);
    t.deepEqual(
      [shown['key'], shown['found'], shown['conflict'], shown['context']],
      ['k', true, true, Buffer.from('seen:2').toString('base64url')],
    );
    t.deepEqual(shown['siblings'], [
      { value: 'text', bytes: 4, written: WRITTEN, expires: null },
      { valueBase64: '/wA=', bytes: 2, written: WRITTEN.replace('.000', '.001'), expires: null },
    ]);
    t.is((shown['meta'] as { acked: number }).acked, 1);
  });
});

test('An absent key is exit code 3, in every format', async (t) => {
  await withServer(async ({ run }) => {
    t.deepEqual(await run(['get', 'nobody']), {
      code: 3,
      out: '',
      bytes: Buffer.alloc(0),
      err: 'error: no value under "nobody"\n',
    });
    const json = await run(['get', 'nobody', '-o', 'json']);
    t.deepEqual([json.code, (JSON.parse(json.out) as { found: boolean }).found], [3, false]);
    t.is((await run(['explain', 'nobody'])).code, 3);
  });
});

test('Several versions: raw refuses to pick one and says what to do; --sibling picks', async (t) => {
  await withServer(async ({ run }) => {
    await run(['put', 'k', 'mine']);
    const second = await run(['put', 'k', 'yours']);
    t.is(second.err, 'note: "k" now has 2 versions that nobody has merged. See them: partita get KEY -o json\n');
    const raw = await run(['get', 'k']);
    t.is(raw.code, 6);
    t.is(raw.out, '');
    t.is(
      raw.err,
      'error: "k" has 2 versions that nobody has merged, and raw output shows one. Pick it with --sibling 1..2, or see all of them with -o json\n',
    );
    t.is((await run(['get', 'k', '--sibling', '2'])).out, 'yours');
    const table = await run(['get', 'k', '-o', 'table']);
    t.is(table.code, 0);
    t.true(table.out.includes('mine') && table.out.includes('yours') && table.out.includes('2 versions'));
    const absent = await run(['get', 'k', '--sibling', '3']);
    t.deepEqual([absent.code, absent.err], [2, 'error: --sibling: there is no version 3, the key has 2\n']);
  });
});

test('The context goes through a file, or over the command line', async (t) => {
  await withServer(async ({ run, folder }) => {
    const file = join(folder, 'context');
    await run(['put', 'k', 'one']);
    await run(['get', 'k', '--context-file', file]);
    t.is(readFileSync(file, 'utf8'), `${Buffer.from('seen:1').toString('base64url')}\n`);
    t.is((await run(['put', 'k', 'two', '--context-file', file])).err, '');
    t.is((await run(['get', 'k'])).out, 'two');
    const context = (JSON.parse((await run(['get', 'k', '-o', 'json'])).out) as { context: string }).context;
    t.is((await run(['delete', 'k', '--context', context])).code, 0);
    t.is((await run(['get', 'k'])).code, 3);
  });
});

test('delete without a context deletes what is there', async (t) => {
  await withServer(async ({ run, server }) => {
    await run(['put', 'k', 'one']);
    t.deepEqual(await run(['delete', 'k']), { code: 0, out: '', bytes: Buffer.alloc(0), err: '' });
    t.is(Buffer.from(server.node.requests.at(-1)?.context ?? []).toString(), 'seen:1');
  });
});

test('Options reach the node', async (t) => {
  await withServer(async ({ run, server }) => {
    await run(['put', 'k', 'v', '--ttl', '90s', '--durable', '--timeout', '2s']);
    const put = server.node.requests.at(-1);
    t.deepEqual([put?.ttlMs, put?.durable], [90_000, true]);
    t.true((put?.budgetMs ?? 0) > 1_500 && (put?.budgetMs ?? 0) <= 2_000);
  });
});

test('The token comes from a file, without its newline', async (t) => {
  await withServer(async ({ run, server, folder }) => {
    const file = join(folder, 'token');
    writeFileSync(file, 's3cret\n');
    server.node.refuse = (token) =>
      Buffer.from(token).toString() === 's3cret' ? null : failed('UNAUTHENTICATED', 'No such token');
    t.is((await run(['put', 'k', 'v', '--token-file', file])).code, 0);
    const without = await run(['get', 'k']);
    t.deepEqual(
      [without.code, without.err],
      [1, 'error: get: No such token. Give the token that the node asks for with --token-file FILE\n'],
    );
  });
});

test('What goes wrong has a code of its own and says what to do', async (t) => {
  await withServer(async ({ run, server }) => {
    server.node.script = () => true;
    const late = await run(['get', 'k', '--timeout', '700ms']);
    t.is(late.code, 5);
    t.regex(late.err, /^error: get: no reply from 127\.0\.0\.1:\d+ within 700 ms\. Allow more time with --timeout/);
    const unsure = await run(['put', 'k', 'v', '--timeout', '700ms']);
    t.regex(unsure.err, /The write may have happened all the same; get the key to see/);
    server.node.script = (request, peer) => {
      peer.fail(request.id, failed('QUORUM_UNAVAILABLE', '1 of 2 replicas answered'));
      return true;
    };
    const quorum = await run(['get', 'k']);
    t.deepEqual(
      [quorum.code, quorum.err],
      [4, 'error: get: 1 of 2 replicas answered. Ask for fewer replicas (--r, --w), or wait until nodes are back\n'],
    );
    const { address } = server;
    await server.stop();
    const down = await run(['ping']);
    t.deepEqual(
      [down.code, down.err],
      [
        4,
        `error: ping: Cannot connect to ${address}: connect ECONNREFUSED ${address}. Is partitad running there? Name another node with --server HOST:PORT\n`,
      ],
    );
  });
});

test('A wrong command line is exit code 2, and says what is expected', async (t) => {
  const cases: readonly [readonly string[], RegExp][] = [
    [['get'], /missing required argument 'key'/],
    [['gte', 'k'], /unknown command 'gte'\n\(Did you mean get\?\)/],
    [['get', 'k', '--colour'], /unknown option '--colour'/],
    [['get', 'k', '-o', 'xml'], /Allowed choices are table, json, raw/],
    [['get', 'k', '--timeout', '5'], /--timeout: "5" is not a duration\. Write a number and a unit: 500ms/],
    [['get', 'k', '--timeout', '2m'], /more than the 60s/],
    [['get', 'k', '--r', 'two'], /--r: "two" is not a whole number from 1 to 255/],
    [['get', '', '-s', '127.0.0.1:1'], /An empty key/],
    [['get', 'k', '-s', 'localhost'], /--server: localhost is not host:port/],
    [['put', 'k'], /no value: give VALUE, - to read standard input, or --file FILE/],
    [['put', 'k', 'v', '--file', 'f'], /VALUE and --file: give one of them/],
    [['put', 'k', '--file', '/nonexistent/f'], /--file: cannot read \/nonexistent\/f: ENOENT/],
    [['put', 'k', 'v', '--context', '!'], /--context: Not a context/],
    [['put', 'k', 'v', '--context', 'a', '--context-file', 'b'], /give one of them/],
    [['put', 'k', 'v', '--ttl', '0s'], /--ttl/],
  ];
  for (const [argv, expected] of cases) {
    const { code, err } = await runCli(argv);
    t.is(code, 2, argv.join(' '));
    t.regex(err, expected);
  }
});

test('Several servers, named on the line or in the environment: one that answers is enough', async (t) => {
  await withServer(async ({ run, server }) => {
    await run(['put', 'k', 'v']);
    t.is((await runCli(['-s', '127.0.0.1:1', 'get', 'k', '-s', server.address])).code, 0);
    t.is((await runCli(['get', 'k', '-s', '127.0.0.1:1', '-s', server.address])).out, 'v');
    t.is((await runCli(['get', 'k'], { env: { PARTITA_SERVER: `127.0.0.1:1, ${server.address}` } })).out, 'v');
  });
});

test('explain shows versions, dots and clocks', async (t) => {
  await withServer(async ({ run, server }) => {
    await run(['put', 'k', 'value']);
    const { out, code } = await run(['explain', 'k']);
    t.is(code, 0);
    t.deepEqual(out.split('\n'), [
      'key\tk',
      'state\tok',
      'partition\t7',
      'key hash\t00112233aabbccdd',
      `owners\t01234567 ${server.address}`,
      'fallbacks, in order\tnone',
      `as node\t${server.address}`,
      'stored in\tbuffer',
      'record bytes\t120',
      'mark\t0001a1b2c3d4e5f6:1',
      'context\t0001a1b2c3d4e5f6:1',
      'remembered put ids\tnone',
      'put ids cut below\tnever',
      `version\t0001a1b2c3d4e5f6:1\tvalue\t5\t${WRITTEN}+0\tnever\t0102030405060708090a0b0c\tyes`,
      '',
    ]);
    t.regex((await run(['explain', 'k', '-o', 'table'])).out, /│ dot/);
    t.is((JSON.parse((await run(['explain', 'k', '-o', 'json'])).out) as { state: string }).state, 'ok');
  });
});

test('ping names every node and the time that it took', async (t) => {
  await withServer(async ({ run, server }) => {
    const { out, code } = await run(['ping']);
    t.is(code, 0);
    t.regex(out, new RegExp(`^${server.address}\\t0123456789abcdef0123456789abcdef\\tzone-1\\t\\d+\\.\\d\\d ms\\n$`));
  });
});

const program = fileURLToPath(new URL('../../../bin/partita.cjs', import.meta.url));

test('As a program: version, help, exit code', (t) => {
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  t.is(execFileSync(program, ['--version'], { encoding: 'utf8' }), `${version}\n`);
  const help = execFileSync(program, ['get', '--help'], { encoding: 'utf8' });
  t.regex(help, /Usage: partita get \[options\] <key>[\s\S]*Examples:\n {2}\$ partita get cart:1/);
  const down = spawnSync(program, ['get', 'k', '-s', '127.0.0.1:1'], { encoding: 'utf8' });
  t.deepEqual([down.status, down.stdout], [4, '']);
  t.regex(down.stderr, /^error: get: Cannot connect to 127\.0\.0\.1:1/);
});
