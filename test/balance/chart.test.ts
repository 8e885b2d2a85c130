/* Plots: what is drawn lies where it should, and text cannot break out of it. */
import test from 'ava';
import { axisFrom0, svgOf } from '../../src/balance/chart.js';

const x = { label: 'x', min: 1, max: 100, ticks: [{ at: 10, text: 'ten' }], isLog: true };

test('an axis begins at 0 and ends at a round number that is not too low', (t) => {
  for (const highest of [0.001, 0.19, 1, 1.01, 7, 99, 100, 12_345]) {
    const { min, max, ticks } = axisFrom0('y', highest, String);
    t.is(min, 0);
    t.true(max >= highest * (1 - 1e-9) && max <= 2.1 * highest, `${highest}: ${max}`);
    t.true(ticks.length >= 3 && ticks.length <= 7);
    t.true(Math.abs((ticks.at(-1)?.at ?? 0) - max) < 1e-9 * max);
  }
  t.is(axisFrom0('y', 0, String).max, 1);
});

test('equal factors are equally far apart on a logarithmic axis', (t) => {
  const points = [
    [1, 0],
    [10, 0.5],
    [100, 1],
  ] as const;
  const svg = svgOf('T', [{ title: 'p', x, y: axisFrom0('y', 1, String), lines: [{ name: 'l', points }] }]);
  const drawn =
    /polyline points="([^"]*)"/
      .exec(svg)?.[1]
      ?.split(' ')
      .map((pair) => pair.split(',').map(Number)) ?? [];
  t.is(drawn.length, 3);
  const [from = [], middle = [], to = []] = drawn;
  t.true(Math.abs((from[0] ?? 0) + (to[0] ?? 0) - 2 * (middle[0] ?? 0)) < 0.2);
  t.true(Math.abs((from[1] ?? 0) + (to[1] ?? 0) - 2 * (middle[1] ?? 0)) < 0.2);
  t.true((from[0] ?? 0) < (to[0] ?? 0) && (from[1] ?? 0) > (to[1] ?? 0));
});

test('names are text, whatever they hold', (t) => {
  const panel = { title: '<b>&"', x, y: axisFrom0('y', 1, String), lines: [{ name: '</svg>', points: [] }] };
  const svg = svgOf('<script>', [panel]);
  t.false(svg.includes('<script>'));
  t.false(svg.includes('<b>'));
  t.is(svg.split('</svg>').length, 2);
  t.true(svg.includes('&lt;b&gt;&amp;&quot;'));
});

test('bars out of balance stand out', (t) => {
  const bars = [
    { x: 2, height: 0.5, isMarked: false },
    { x: 50, height: 1, isMarked: true },
  ];
  const svg = svgOf('T', [{ title: 'p', x, y: axisFrom0('y', 1, String), lines: [], bars }]);
  t.is(svg.split('fill="#0072b2"').length, 2);
  t.is(svg.split('fill="#d55e00"').length, 2);
});
