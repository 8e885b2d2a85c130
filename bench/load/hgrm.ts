/* The percentile distribution in HdrHistogram's text form, which its plotters read. Values in ms, as they expect. */
import type { RecordableHistogram } from 'node:perf_hooks';

const HALVINGS_MAX = 24;
const STEPS_PER_HALF = 5;

export function hgrmOf(histogram: RecordableHistogram): string {
  const lines = ['       Value     Percentile TotalCount 1/(1-Percentile)', ''];
  const total = histogram.count;
  const line = (share: number): string => {
    const value = (total === 0 ? 0 : share >= 1 ? histogram.max : histogram.percentile(share * 100)) / 1000;
    const inverse = share >= 1 ? '' : (1 / (1 - share)).toFixed(2).padStart(14);
    return `${value.toFixed(3).padStart(12)} ${share.toFixed(12)} ${String(Math.round(share * total)).padStart(10)} ${inverse}`.trimEnd();
  };
  let from = 0;
  for (let half = 0; half < HALVINGS_MAX && total * (1 - from) >= 1; half++) {
    const step = (1 - from) / 2 / STEPS_PER_HALF;
    for (let i = 0; i < STEPS_PER_HALF; i++) lines.push(line(from === 0 && i === 0 ? 0.000001 : from + i * step));
    from += (1 - from) / 2;
  }
  lines.push(line(1));
  const empty = total === 0;
  lines.push(
    `#[Mean    = ${((empty ? 0 : histogram.mean) / 1000).toFixed(3).padStart(12)}, StdDeviation   = ${((empty ? 0 : histogram.stddev) / 1000).toFixed(3).padStart(12)}]`,
    `#[Max     = ${((empty ? 0 : histogram.max) / 1000).toFixed(3).padStart(12)}, Total count    = ${String(total).padStart(12)}]`,
    '',
  );
  return lines.join('\n');
}
