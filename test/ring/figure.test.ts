/* The figure of bench/placement.js with tiny inputs: the same seed gives the same table, and the paper's order holds. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { FIGURE_8, figure8 } from '../../bench/placement-figure.js';

const run = promisify(execFile);
const SCRIPT = fileURLToPath(new URL('../../bench/placement.js', import.meta.url));

test('the table beats strategy 3, strategy 3 beats 1, and 1 beats 2 (§6.2)', (t) => {
  const rows = figure8({ ...FIGURE_8, keys: 20_000, trials: 4, partitionCounts: [64, 256] });
  for (const { placement, efficiency } of rows) {
    t.true(placement.table > placement['3'] && placement['3'] > placement['1'] && placement['1'] > placement['2']);
    t.true(efficiency.table > efficiency['3'] && efficiency['3'] > efficiency['1']);
  }
  t.is(rows[0]?.placement.table.toFixed(3), '0.914'); // 6.4 / 7: no seed does better or worse
  t.is(rows[1]?.placement.table.toFixed(3), '0.985');
});

test('with one node a strategy cannot be uneven', (t) => {
  const [row] = figure8({ ...FIGURE_8, nodes: 1, replicas: 1, keys: 100, trials: 1, partitionCounts: [16] });
  for (const figures of [row?.placement, row?.efficiency]) {
    for (const figure of Object.values(figures ?? {})) t.true(Math.abs(figure - 1) < 1e-9);
  }
});

test('the program: deterministic by its seed; what it cannot do it says', async (t) => {
  const tiny = ['--keys', '1000', '--trials', '1', '--nodes', '6'];
  const { stdout } = await run(process.execPath, [SCRIPT, ...tiny]);
  t.regex(stdout, /S = 6, N = 3/);
  t.is((await run(process.execPath, [SCRIPT, ...tiny])).stdout, stdout);
  t.not((await run(process.execPath, [SCRIPT, ...tiny, '--seed', '2'])).stdout, stdout);
  for (const [words, expected] of [
    [['--keys', 'many'], /--keys many: not a positive integer/],
    [['--nodes', '2'], /3 replicas on 2 nodes/],
    [['--colour'], /colour/],
  ] as const) {
    const error = await t.throwsAsync(run(process.execPath, [SCRIPT, ...words]));
    t.regex((error as unknown as { stderr: string }).stderr, expected);
    t.is((error as unknown as { code: number }).code, 2);
  }
});
