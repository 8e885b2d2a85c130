/* What a node passes on for a command that archives or restores, and what it does not. */
import test from 'ava';
import type { Slices } from '../../../src/background/slices.js';
import { type Build, BUILD, FIRST_BUILD } from '../../../src/model/build.js';
import type { ArchiveAskReply } from '../../../src/model/archive-messages.js';
import type { Failure } from '../../../src/model/errors.js';
import type { ArchiveMember } from '../../../src/node/cluster/archive-member.js';
import { ArchiveServer } from '../../../src/node/cluster/archive-server.js';
import type { ClusterParts } from '../../../src/node/cluster/parts.js';
import { PeerRequest } from '../../../src/node/peers/request.js';
import { encodeTransferChunk } from '../../../src/wire/codec-transfer.js';
import { ARCHIVE_STATE, TRANSFER_CHUNK } from '../../../src/wire/kinds.js';
import { SimulatedTime } from '../../support/simulated-time.js';

const SELF = 1;
const OTHER = 2;

interface Scene {
  readonly time: SimulatedTime;
  readonly server: ArchiveServer;
  /** Kinds that the other was asked for. */
  readonly asked: number[];
  readonly slices: (() => void)[];
}

function scene(build: Build): Scene {
  const time = new SimulatedTime();
  const asked: number[] = [];
  const slices: (() => void)[] = [];
  const link = {
    build,
    ask: (kind: number): PeerRequest => {
      asked.push(kind);
      return new PeerRequest();
    },
  };
  const parts = {
    self: SELF,
    timers: time.scope(),
    nowMs: () => time.monotonicMs(),
    nameOf: (node: number) => `node ${node}`,
    links: { get: () => link, bulk: () => link },
  } as unknown as ClusterParts;
  const queue = { ask: (_kind: string, _bytes: number, go: () => void) => void slices.push(go) } as unknown as Slices;
  return { time, asked, slices, server: new ArchiveServer(parts, {} as ArchiveMember, null, queue) };
}

const piece = (budgetMs: number): Uint8Array =>
  encodeTransferChunk({ partition: 1, moveId: 9, opening: 1, offset: 0, length: 1_000, budgetMs });

test('a member of a release that knows nothing of archives is not asked', (t) => {
  const { server, asked } = scene(FIRST_BUILD);
  const heard: (ArchiveAskReply | Failure)[] = [];
  const ask = { budgetMs: 1_000, member: OTHER, kind: ARCHIVE_STATE, body: new Uint8Array(0) };
  server.passOn(ask, (reply) => heard.push(reply));
  t.deepEqual(asked, []);
  t.like(heard[0], { code: 'INVALID_ARGUMENT' });
  t.regex((heard[0] as Failure).text, /^node 2 has a release that names no levels .*upgrade it first$/);
});

test('a piece whose turn comes when nobody waits for it any more is not fetched', (t) => {
  const { server, asked, slices, time } = scene(BUILD);
  const heard: (ArchiveAskReply | Failure)[] = [];
  const ask = { budgetMs: 1_000, member: OTHER, kind: TRANSFER_CHUNK, body: piece(1_000) };
  for (let i = 0; i < 2; i++) server.passOn(ask, (reply) => heard.push(reply));
  t.deepEqual(asked, []);
  slices[0]?.();
  t.deepEqual(asked, [TRANSFER_CHUNK]);
  time.runFor(1_001);
  slices[1]?.();
  t.deepEqual(asked, [TRANSFER_CHUNK]);
  t.like(heard, [{ code: 'TIMEOUT' }]);
});
