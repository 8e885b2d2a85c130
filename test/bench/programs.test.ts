/* Every program of bench/ that takes inputs runs with tiny ones: a bench that does not start measures nothing. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { Command } from 'commander';
import { registerBench } from '../../bench/load/command.js';
import type { Bench } from '../../bench/load/result.js';
import { GeneratorProcess, cpuOf, median, startFloor } from '../../bench/processes.js';
import { NO_OPERATIONS } from '../../bench/load/plan.js';
import { ToyServer } from './toy-server.js';

const run = promisify(execFile);

test('the lmdb floor', async (t) => {
  const script = fileURLToPath(new URL('../../bench/floor-lmdb.js', import.meta.url));
  const { stdout } = await run(process.execPath, [script, '--keys', '200', '--files', '2', '--ms', '20']);
  const { nsPerGet } = JSON.parse(stdout) as { readonly nsPerGet: number };
  t.true(nsPerGet > 100 && nsPerGet < 1_000_000, String(nsPerGet));
});

test('what counting the load costs', async (t) => {
  const script = fileURLToPath(new URL('../../bench/load-counters.js', import.meta.url));
  const { stdout } = await run(process.execPath, [script, '--rounds', '2', '--requests', '20000']);
  const figures = [...stdout.matchAll(/(-?[\d.]+) ns/g)].map(([, ns]) => Number(ns));
  t.is(figures.length, 4);
  for (const ns of figures) t.true(ns < 100_000, String(ns));
});

test('the echo and protocol floors answer the generator, from processes of their own', async (t) => {
  const generator = new GeneratorProcess(undefined);
  const echo = await startFloor('floor-echo', undefined);
  const protocol = await startFloor('floor-protocol', undefined);
  t.teardown(async () => {
    await Promise.all([generator.stop(), echo.process.stop(), protocol.process.stop()]);
  });
  const before = cpuOf(echo.pid);
  const tiny = { amount: 400, connections: 4, inFlight: 4 };
  const echoed = await generator.run({ ...tiny, server: echo.address, dialect: 'echo' });
  t.deepEqual(echoed.codes, { ok: 400 });
  t.true(echoed.bytesRead === echoed.bytesWritten && echoed.bytesRead > 400 * 1_024);
  t.true(cpuOf(echo.pid).allUs >= before.allUs);
  const mix = { ...NO_OPERATIONS, get: 1, put: 1, delete: 1 };
  const answered = await generator.run({ ...tiny, server: protocol.address, mix });
  t.deepEqual(answered.codes, { ok: 400 });
  await t.throwsAsync(generator.run({ server: '127.0.0.1:1' }), { message: /^Cannot reach/ });
});

test.serial('the command: result file, comparison, exit codes', async (t) => {
  const server = new ToyServer();
  const address = await server.listen();
  const folder = mkdtempSync(join(tmpdir(), 'partita-bench-'));
  const { log } = console;
  const write = process.stderr.write.bind(process.stderr);
  const printed: string[] = [];
  console.log = (line: string): void => {
    printed.push(line);
  };
  process.stderr.write = (text: string | Uint8Array): boolean => printed.push(String(text)) > 0;
  t.teardown(async () => {
    console.log = log;
    process.stderr.write = write;
    process.exitCode = 0;
    rmSync(folder, { recursive: true });
    await server.close();
  });
  const bench = async (...words: string[]): Promise<number> => {
    process.exitCode = 0;
    const command = new Command('bench').exitOverride();
    registerBench(command);
    await command.parseAsync(['--server', address, '-n', '-c', '2', '--keys', '50', ...words], { from: 'user' });
    return process.exitCode;
  };
  const out = join(folder, 'out.json');
  const hgrm = join(folder, 'out.hgrm');
  t.is(
    await bench('-a', '500', '--workload', 'a', '--preload', '--verify', '--runs', '2', '--out', out, '--hgrm', hgrm),
    0,
  );
  const result = JSON.parse(readFileSync(out, 'utf8')) as Bench;
  t.is(result.runs.length, 2);
  t.is(result.runs[1]?.count, 500);
  t.is(server.concurrentPuts, 0);
  t.regex(readFileSync(hgrm, 'utf8'), /Percentile/);
  t.regex(printed.join('\n'), /YCSB a/);
  t.regex(printed.join('\n'), /│ median │/);

  server.delayMs = 20;
  t.is(await bench('-a', '20', '--workload', 'a', '--verify', '--compare', out), 1);
  t.regex(printed.join('\n'), /Regression: throughput was/);
  server.delayMs = 0;

  server.refuseEach = 10;
  t.is(await bench('-a', '100', '--mix', 'get=1'), 1);
  t.regex(printed.join('\n'), /10\.000 % of the operations failed/);
  t.is(await bench('-a', '100', '--mix', 'get=1', '--max-errors', '20%'), 0);
  server.refuseEach = 0;

  t.is(await bench('--workload', 'e'), 2);
  t.regex(printed.at(-1) ?? '', /^error: Workload e reads ranges/);
  t.is(await bench('--compare', join(folder, 'none.json')), 1);
});

test('the median of an even number of figures lies between the two in the middle', (t) => {
  t.is(median([4, 1, 3, 2]), 2.5);
  t.is(median([5, 1, 3]), 3);
  t.true(Number.isNaN(median([])));
});
