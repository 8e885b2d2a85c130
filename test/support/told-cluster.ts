/* A node that tells the command line about its cluster what the test wants. */
import {
  type ClusterAction,
  type ClusterRequest,
  decodeCluster,
  encodeClusterReply,
} from '../../src/wire/codec-cluster.js';
import { CLUSTER, CLUSTER_REPLY } from '../../src/wire/kinds.js';
import { isFault } from '../../src/wire/plain.js';
import { withAdminSocket } from './admin-socket.js';
import { failed, type Script } from './fake-node.js';
import { runCli } from './run-cli.js';

export type Facts = Partial<Record<ClusterAction, object>>;

/** Answers with these facts; keeps what it was asked. */
export function scripted(facts: Facts, asked: ClusterRequest[] = []): Script {
  return (request, peer) => {
    if (request.kind !== CLUSTER) throw new Error('Only the cluster is asked about');
    const { body } = request;
    const question = decodeCluster(body, 0, body.length);
    if (isFault(question)) throw new Error(question);
    asked.push(question);
    const answer = facts[question.action];
    if (answer === undefined) peer.fail(request.id, failed('INVALID_ARGUMENT', `No ${question.action} today`));
    else peer.frame(CLUSTER_REPLY, request.id, encodeClusterReply({ facts: JSON.stringify(answer) }));
    return true;
  };
}

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly asked: readonly ClusterRequest[];
  readonly admin: string;
}

export async function run(facts: Facts, ...words: readonly string[]): Promise<Ran> {
  const asked: ClusterRequest[] = [];
  let ran: Ran | null = null;
  await withAdminSocket(scripted(facts, asked), async (admin) => {
    const { code, out, err } = await runCli([...words, '--admin', admin]);
    ran = { code, out, err, asked, admin };
  });
  if (ran === null) throw new Error('It was not run');
  return ran;
}
