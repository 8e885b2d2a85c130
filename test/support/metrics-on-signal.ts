/*
 * Loaded into a daemon before anything else (`node --import`): when SIGWINCH comes, which otherwise means nothing to it,
 * its metrics are written to a file, as a scrape would get them. The file's name is the process id, its folder that of
 * METRICS_FOLDER; it appears whole, by a rename.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PrometheusMeter } from '../../src/metrics/prometheus.js';

const folder = process.env['METRICS_FOLDER'];
const made: PrometheusMeter[] = [];
const { counter } = PrometheusMeter.prototype;

PrometheusMeter.prototype.counter = function (this: PrometheusMeter, ...asked: Parameters<typeof counter>) {
  if (!made.includes(this)) made.push(this);
  return counter.apply(this, asked);
};

process.on('SIGWINCH', () => {
  void Promise.all(made.map((meter) => meter.text())).then((texts) => {
    const file = join(folder ?? '.', String(process.pid));
    writeFileSync(`${file}.part`, texts.join(''));
    renameSync(`${file}.part`, file);
  });
});
