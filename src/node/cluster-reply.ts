/* What administration is told of the ring and its members, and what it may do to them. */
import { failure } from '../model/errors.js';
import { type ClusterAction, decodeCluster, encodeClusterReply } from '../wire/codec-cluster.js';
import { CLUSTER_REPLY } from '../wire/kinds.js';
import { isFault } from '../wire/plain.js';
import type { AdminAnswer } from './background-reply.js';
import type { Refused } from './cluster/ring-control.js';
import { readEdits } from './cluster/staged-edits.js';
import type { Incoming } from './incoming.js';
import type { Services } from './services.js';

/** `done` once, at once or when the voters have decided. */
export function answerCluster(services: Services, frame: Incoming, done: (answer: AdminAnswer) => void): void {
  const request = decodeCluster(frame.bytes, frame.start, frame.end);
  if (isFault(request)) {
    done(`CLUSTER cannot be read: ${request}`);
    return;
  }
  const tell = (facts: object | Refused): void => {
    if ('refused' in facts) done(refused(facts.refused));
    else done({ op: 'cluster', kind: CLUSTER_REPLY, body: encodeClusterReply({ facts: JSON.stringify(facts) }) });
  };
  const { ringAdmin, isLone } = services;
  if (ringAdmin === null || (isLone && NEEDS_OTHERS.includes(request.action))) {
    done(refused(ALONE));
    return;
  }
  switch (request.action) {
    case 'status':
      return tell(ringAdmin.status());
    case 'history':
      return tell(ringAdmin.history());
    case 'clear':
      return tell(ringAdmin.clear());
    case 'plan':
      return ringAdmin.plan(tell);
    case 'stage': {
      const edits = readEdits(request.edits);
      return tell(typeof edits === 'string' ? { refused: edits } : ringAdmin.stage(edits));
    }
    case 'voters':
      return ringAdmin.nameVoters(request.baseVersion, request.edits, tell);
    case 'commit':
      return ringAdmin.commit(request.baseVersion, request.planHash, tell);
    case 'finalize':
      return ringAdmin.finalize(tell);
  }
}

const NEEDS_OTHERS: readonly ClusterAction[] = ['stage', 'plan', 'commit', 'voters'];

const ALONE =
  'This node is a cluster of its own, and has no secret that others could prove to know, so nobody can join it. Write one to a file (head -c 32 /dev/urandom | base64 > cluster.secret) and start it again with --peer-secret-file cluster.secret. How many replicas there are of each key was fixed when the cluster was made, and stays 1 with more nodes: for 3, make a cluster with partita cluster init, and take the keys there with partita export and partita import';

function refused(text: string): AdminAnswer {
  return { op: 'cluster', body: null, refusal: failure('INVALID_ARGUMENT', text) };
}
