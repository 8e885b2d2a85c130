/* partita cluster voters: what it asks for, and what it refuses to ask for. */
import test from 'ava';
import type { ClusterStatusFacts, CommitFacts } from '../../src/model/cluster-facts.js';
import { type ClusterRequest, decodeCluster, encodeClusterReply } from '../../src/wire/codec-cluster.js';
import { CLUSTER_REPLY } from '../../src/wire/kinds.js';
import { isFault } from '../../src/wire/plain.js';
import { ringMember } from '../ring/rings.js';
import { withAdminSocket } from '../support/admin-socket.js';
import { runCli } from '../support/run-cli.js';

const seen = {
  state: 'up',
  reason: '',
  ringVersion: 6,
  replicas: 1,
  tokens: 1,
  incoming: 0,
  outgoing: 0,
  release: '',
  levelMax: 2,
} as const;
const STATUS: Partial<ClusterStatusFacts> = {
  version: 6,
  members: [1, 2, 3].map((ordinal) => ({ ...ringMember({ ordinal, capacity: 1, zone: '' }), ...seen })),
};

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly asked: readonly Pick<ClusterRequest, 'action' | 'baseVersion' | 'edits'>[];
}

async function run(outcome: Pick<CommitFacts, 'kind' | 'text'>, ...words: readonly string[]): Promise<Ran> {
  const asked: Ran['asked'][number][] = [];
  let ran = { code: -1, out: '', err: '' };
  await withAdminSocket(
    ({ body, id }, peer) => {
      const request = decodeCluster(body, 0, body.length);
      if (isFault(request)) throw new Error(request);
      const { action, baseVersion, edits } = request;
      asked.push({ action, baseVersion, edits });
      const facts = action === 'status' ? STATUS : { ...outcome, ring: null, version: 0, joined: [] };
      peer.frame(CLUSTER_REPLY, id, encodeClusterReply({ facts: JSON.stringify(facts) }));
      return true;
    },
    async (admin) => {
      ran = await runCli(['cluster', 'voters', ...words, '--admin', admin]);
    },
  );
  return { ...ran, asked };
}

const DONE = { kind: 'done', text: 'Ring version 123456 comes into force, with other voters' } as const;

test('by force only, and for the version that was looked at', async (t) => {
  const without = await run(DONE, '--lost', '2');
  t.is(without.code, 2);
  t.regex(without.err, /--force is needed: no majority agrees on this ring/);
  t.false(without.asked.some(({ action }) => action === 'voters'));
  const forced = await run(DONE, '--force', '--lost', '2,10.0.1.1:3');
  t.deepEqual([forced.code, forced.out, forced.err], [0, `voters\t${DONE.text}\n`, '']);
  t.deepEqual(forced.asked.at(-1), { action: 'voters', baseVersion: 6, edits: '[2,3]' });
});

test('who is named has to be a member; a refusal is said, and is no success', async (t) => {
  const stranger = await run(DONE, '--force', '--lost', '9');
  t.is(stranger.code, 2);
  t.regex(stranger.err, /"9": no member of the ring is meant by it/);
  const refused = await run({ kind: 'refused', text: 'The voters are not named anew: no force is needed' }, '--force');
  t.deepEqual(
    [refused.code, refused.out, refused.err],
    [1, '', 'error: cluster voters: The voters are not named anew: no force is needed\n'],
  );
  t.is(refused.asked.at(-1)?.edits, '[]');
});
