/* partita cluster commit --now: planned anew as often as only a step of a move comes between, and no oftener. */
import test from 'ava';
import type { ClusterStatusFacts, CommitFacts, PlanFacts } from '../../src/model/cluster-facts.js';
import { decodeCluster, encodeClusterReply } from '../../src/wire/codec-cluster.js';
import { CLUSTER_REPLY } from '../../src/wire/kinds.js';
import { isFault } from '../../src/wire/plain.js';
import { encodeRing } from '../../src/ring/document.js';
import { documentOf, members, ringMember, tableOf } from '../ring/rings.js';
import { withAdminSocket } from '../support/admin-socket.js';
import type { Script } from '../support/fake-node.js';
import { runCli } from '../support/run-cli.js';

const RING = documentOf(tableOf(members(4), 8, 3));
const HASH = 'abcdef0123456789';

/** A node whose ring is a version further at each commit; those that `ends` names end so, and the next is done. */
class Node {
  readonly ends: CommitFacts['kind'][];
  readonly commits: string[] = [];
  version = 6;
  leaving = false;
  reachable = true;

  constructor(...ends: CommitFacts['kind'][]) {
    this.ends = ends;
  }

  readonly script: Script = (request, peer) => {
    const { body } = request;
    const asked = decodeCluster(body, 0, body.length);
    if (isFault(asked)) throw new Error(asked);
    const facts = {
      status: () => this.status(),
      plan: () => this.plan(),
      commit: () => this.commit(asked.baseVersion),
    }[asked.action as 'status' | 'plan' | 'commit']();
    peer.frame(CLUSTER_REPLY, request.id, encodeClusterReply({ facts: JSON.stringify(facts) }));
    return true;
  };

  status(): Partial<ClusterStatusFacts> {
    const seen = { state: 'up', reason: '', ringVersion: 1, replicas: 1, tokens: 1, incoming: 0, outgoing: 0 } as const;
    const build = { release: '0.1.0', levelMax: 2 };
    const four = [1, 2, 3, 4].map((ordinal) => ringMember({ ordinal, capacity: 1, zone: '' }));
    return {
      members: four.map((member) => ({ ...member, leaving: this.leaving, ...seen, ...build })),
      voters: [{ ordinal: 1, reachable: this.reachable }],
      quorum: 1,
      plan: null,
      joining: [],
    };
  }

  plan(): Partial<PlanFacts> {
    return { baseVersion: this.version, version: this.version + 1, hash: HASH, warnings: ['Moves are under way'] };
  }

  commit(baseVersion: number): CommitFacts {
    const kind = this.ends.shift() ?? 'done';
    this.commits.push(`${baseVersion} ${kind}`);
    this.version += 1;
    const ring = JSON.parse(Buffer.from(encodeRing(RING)).toString()) as unknown;
    return { kind, text: `It is ${kind}`, ring, version: baseVersion + 1, joined: [] };
  }

  async run(...words: readonly string[]): Promise<{ code: number; out: string; err: string }> {
    let ran = { code: -1, out: '', err: '' };
    await withAdminSocket(this.script, async (admin) => {
      ran = await runCli(['cluster', 'commit', '--now', ...words, '--admin', admin]);
    });
    return ran;
  }
}

test('again after a step of a move, with the warnings once', async (t) => {
  const node = new Node('conflict', 'no-quorum');
  const { code, out, err } = await node.run();
  t.deepEqual(node.commits, ['6 conflict', '7 no-quorum', '8 done']);
  t.deepEqual([code, out, err], [0, 'version\t9\n', 'warning: Moves are under way\n']);
});

test('not for ever', async (t) => {
  const node = new Node(...Array.from({ length: 99 }, () => 'conflict' as const));
  const { code, err } = await node.run();
  t.deepEqual([code, node.commits.length], [1, 8]);
  t.regex(err, /error: cluster commit: It is conflict\n$/);
});

test('not when somebody else has changed the members', async (t) => {
  const node = new Node('conflict');
  const before = node.commit.bind(node);
  node.commit = (baseVersion) => {
    node.leaving = true;
    return before(baseVersion);
  };
  t.is((await node.run()).code, 1);
  t.deepEqual(node.commits, ['6 conflict']);
});

test('not without the voters, not after a refusal, and not when it may have been decided', async (t) => {
  const away = new Node('no-quorum');
  away.reachable = false;
  t.is((await away.run()).code, 4);
  t.is(away.commits.length, 1);
  for (const [kind, expected] of [
    ['refused', 1],
    ['unknown', 4],
  ] as const) {
    const node = new Node(kind);
    t.is((await node.run()).code, expected);
    t.is(node.commits.length, 1, kind);
  }
});

test('it goes without --version and --plan', async (t) => {
  for (const words of [
    ['--version', '7'],
    ['--plan', HASH],
  ]) {
    const { code, err } = await new Node().run(...words);
    t.deepEqual([code, err], [2, 'error: --now plans anew: it goes without --version and --plan\n']);
  }
});
