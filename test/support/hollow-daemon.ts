/*
 * The process of partitad around a node that does nothing: for tests of signals, exit codes and log lines. What the
 * node does is said by HOLLOW: `refuse`, `fail`, `wait`, `slow-drain`, `bad-drain`, `fatal`, or empty.
 */
import { loadConfig } from '../../src/daemon/config.js';
import { runDaemon } from '../../src/daemon/main.js';
import { StartRefusedError } from '../../src/daemon/running-node.js';
import type { StartNode } from '../../src/daemon/running-node.js';

const how = process.env['HOLLOW'] ?? '';

const startNode: StartNode = ({ log, fatal }) => {
  if (how === 'refuse') return Promise.reject(new StartRefusedError('The directory is in use'));
  if (how === 'fail') return Promise.reject(new Error('Something broke'));
  if (how === 'fatal')
    setTimeout(() => {
      fatal(new Error('The log failed'));
    }, 20);
  setInterval(() => log.debug('tick'), 20);
  return Promise.resolve({
    ready: { client: '127.0.0.1:1', peer: '127.0.0.1:2', admin: '/a', nodeId: '0'.repeat(32) },
    waiting: how === 'wait' ? 'The directory is empty: --init makes a cluster' : null,
    status: () => 'hollow',
    figures: () => ({ hollow: true }),
    healthy: () => true,
    drain: () =>
      new Promise((resolve, reject) => {
        if (how === 'bad-drain') reject(new Error('The last sync failed'));
        else if (how !== 'slow-drain') resolve();
      }),
  });
};

const file = process.argv[2];
const load = (): ReturnType<typeof loadConfig> =>
  loadConfig({ flags: {}, env: {}, ...(file === undefined ? {} : { file }) });
process.exit(await runDaemon({ loaded: load(), reload: load, init: false, acceptLoss: false, startNode }));
