/*
 * What hurt Riak's users, each a script that says what went wrong, if anything did: on five simulated nodes, and on five real
 * daemons on loopback. (test/sim/scars/ plants the bug that each script is there for.)
 */
import { Client, codecs } from '../../src/client/index.js';
import { RealCluster } from '../support/real-cluster.js';
import { type Scar, SCARS } from '../support/scars/all.js';
import { RealRing } from '../support/scars/real-ring.js';
import { SMALL_STORE } from './crash.js';
import { play as playSimulated } from '../sim/scars/play.js';
import { printTail, type Proof } from './proof.js';

/** On a cluster of its own: what one script left behind must not help the next. */
async function play(script: Scar, print: (line: string) => void): Promise<readonly string[]> {
  const cluster = await RealCluster.prepare({ nodes: 5, flags: SMALL_STORE });
  try {
    await cluster.start();
    await cluster.connected();
    const client = await Client.connect<string>(
      { seeds: cluster.addresses, codec: codecs.utf8 },
      { timeoutMs: 10_000 },
    );
    const ring = new RealRing(cluster, client);
    client.destroy();
    return await script(ring);
  } catch (error) {
    printTail(cluster.transcript(), 60, print);
    return [error instanceof Error ? (error.stack ?? error.message) : String(error)];
  } finally {
    await cluster.dispose();
  }
}

async function played(
  where: string,
  run: (script: Scar) => Promise<readonly string[]>,
  print: (line: string) => void,
): Promise<number> {
  let faulty = 0;
  for (const [name, script] of SCARS) {
    const startedMs = performance.now();
    const faults = await run(script);
    if (faults.length > 0) faulty += 1;
    const verdict = faults.length === 0 ? 'as it should be' : 'NOT AS IT SHOULD BE';
    print(`${where}: ${name}: ${verdict} (${Math.round(performance.now() - startedMs)} ms)`);
    for (const fault of faults) print(`  ${fault}`);
  }
  return faulty;
}

export const prove: Proof = {
  name: 'riak-scars',
  question: "Does what lost or multiplied the data of Riak's users happen here?",
  async run({ full, print }) {
    const rounds = full ? 5 : 1;
    const simulated = await played('simulated', (script) => playSimulated(script), print);
    let real = 0;
    for (let round = 1; round <= rounds; round++) {
      real += await played('real', (script) => play(script, print), print);
    }
    return {
      held: simulated + real === 0,
      summary:
        `${SCARS.length} scripts, on five simulated nodes, ${simulated} not as they should be; ` +
        `${rounds} times each on five real daemons, ${real} not as they should be`,
    };
  },
};
