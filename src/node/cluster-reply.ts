/* What administration is told of the ring and its members, and what it may do to them. */
import { failure } from '../model/errors.js';
import { decodeCluster, encodeClusterReply } from '../wire/codec-cluster.js';
import { CLUSTER_REPLY } from '../wire/kinds.js';
import { encodeRing } from '../ring/document.js';
import { isFault } from '../wire/plain.js';
import type { AdminAnswer } from './background-reply.js';
import { RingAdmin } from './cluster/ring-admin.js';
import type { Refused, RingControl } from './cluster/ring-control.js';
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
  const { ringAdmin } = services;
  if (ringAdmin === null) {
    const own = aloneAdmin(services);
    if (request.action === 'status')
      tell({ ...own.status(), finalize: null }); // its ring never changes
    else if (request.action === 'history') tell(own.history());
    else done(refused(request.action === 'finalize' ? ALONE_LEVEL : ALONE));
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

const ALONE =
  'This node is a cluster of its own, and has no secret that others could prove to know, so nobody can join it. Write one to a file (head -c 32 /dev/urandom | base64 > cluster.secret) and start it again with --peer-secret-file cluster.secret. How many replicas there are of each key was fixed when the cluster was made, and stays 1 with more nodes: for 3, make a cluster with partita cluster init, and take the keys there with partita export and partita import';

const ALONE_LEVEL =
  'This node is a cluster of its own, and its ring cannot change, so its feature level stays: it holds nothing up as long as the node is alone. Before others join it needs a secret (--peer-secret-file); then the level can be raised';

function refused(text: string): AdminAnswer {
  return { op: 'cluster', body: null, refusal: failure('INVALID_ARGUMENT', text) };
}

/** Made when it is asked: it has nothing to remember. */
function aloneAdmin({ ring, ordinal, build, hash, log, storage }: Services): RingControl {
  const none = { peers: [], moves: [], files: { fetching: [], giving: [] }, departing: [], hints: 0, quorum: 1 };
  const suspect = storage.status().suspectPartitions.length;
  return new RingAdmin({
    ...{ hash, log, store: null },
    random: { u32: () => 0 },
    seen: () => ({ self: ordinal, build, ring, document: encodeRing(ring), suspect, ...none }),
    plan: () => ({ fault: ALONE }),
    raise: () => ({ fault: ALONE }),
    survey: (_ordinals, told) => {
      told(new Map());
    },
    propose: (_ring, done) => {
      done({ kind: 'refused', text: ALONE });
    },
    nameVoters: (_lost, done) => {
      done({ kind: 'refused', text: ALONE });
    },
  });
}
