/*
 * What this node does for the other members of its ring: STORE, READ and FORWARD. The session has made sure who asks; here
 * it is looked at whether that is still a member, and whether what is asked makes sense. Every request is answered.
 */
import { failure, type Failure } from '../../model/errors.js';
import { KEY_BYTES_MAX } from '../../model/limits.js';
import type { PartitionId } from '../../model/ids.js';
import type { PutRequest } from '../../model/messages.js';
import type { StoreReply } from '../../model/peer-messages.js';
import { partitionOf } from '../../ring/partition.js';
import { checkRecord, recordKeyEnd, recordKeyStart } from '../../versioning/record.js';
import { DELETE, FORWARD, LOADS, nameOfKind, PUT, READ, STORE } from '../../wire/kinds.js';
import {
  decodeForwardInto,
  decodeReadInto,
  decodeStoreInto,
  ForwardView,
  ReadView,
  StoreView,
} from '../../wire/read-peer.js';
import { decodeDeleteInto, decodePutInto, PutRequestView } from '../../wire/requests.js';
import { sizeOfStoreReplyFrame, writeStoreReplyFrame } from '../../wire/write-peer.js';
import type { Incoming } from '../incoming.js';
import type { PeerCredentials } from '../peers/credentials.js';
import { Pool } from '../pool.js';
import { replyError, TOO_LATE } from '../replies.js';
import type { Session } from '../session.js';
import type { ArchiveServer } from './archive-server.js';
import { type ExchangeServer, isExchangeKind } from './exchange-server.js';
import { ForwardedPut } from './forwarded.js';
import { serveLoads } from './load-asks.js';
import type { ClusterParts } from './parts.js';
import { ReapServer } from './reap-server.js';
import type { ReapMember } from './reap-member.js';
import { type RecordTarget, RecordWrite } from './record-write.js';
import type { Gossiper } from './gossiper.js';
import type { RingLogServer } from './ring-log-server.js';
import { ReplicaRead } from './replica-read.js';
import type { SpaceSurvey } from './space-survey.js';
import type { Transfers } from './transfers.js';

const NOBODY: readonly number[] = [];

/** A pooled STORE with the connection that waits for it. */
class ReplicaStore implements RecordTarget {
  readonly write: RecordWrite;
  session: Session | null = null;
  readonly #server: PeerServer;

  constructor(server: PeerServer, parts: ClusterParts) {
    this.#server = server;
    this.write = new RecordWrite(parts);
  }

  onMerged(write: RecordWrite, durable: boolean): void {
    this.#server.stored(this, write, durable);
  }

  onRefused(write: RecordWrite, refusal: Failure): void {
    this.#server.notStored(this, write, refusal);
  }
}

export class PeerServer {
  /** Where rings are agreed on; set before the first frame. */
  ringLog: RingLogServer | null = null;
  gossiper: Gossiper | null = null;
  survey: SpaceSurvey | null = null;
  readonly #parts: ClusterParts;
  readonly #credentials: PeerCredentials;
  readonly #exchanges: ExchangeServer;
  readonly #reaps: ReapServer;
  /** null: no files are given. */
  transfers: Pick<Transfers, 'serve'> | null = null;
  /** null: nothing is archived, nor restored. */
  archives: Pick<ArchiveServer, 'serve'> | null = null;
  readonly #stores: Pool<ReplicaStore>;
  readonly #reads: Pool<ReplicaRead>;
  readonly #forwards: Pool<ForwardedPut>;
  readonly #storeView: StoreView = new StoreView();
  readonly #readView: ReadView = new ReadView();
  readonly #forwardView: ForwardView = new ForwardView();
  readonly #putView: PutRequestView = new PutRequestView();
  readonly #storeReply: { -readonly [K in keyof StoreReply]: StoreReply[K] };

  constructor(parts: ClusterParts, credentials: PeerCredentials, exchanges: ExchangeServer, member: ReapMember) {
    this.#parts = parts;
    this.#exchanges = exchanges;
    this.#credentials = credentials;
    this.#reaps = new ReapServer(parts, member);
    this.#storeReply = { ringVersion: 0, fence: 0, durable: false, hinted: false };
    this.#stores = new Pool(() => new ReplicaStore(this, parts));
    this.#reads = new Pool(
      () =>
        new ReplicaRead(parts, (read) => {
          this.#reads.give(read);
        }),
    );
    this.#forwards = new Pool(
      () =>
        new ForwardedPut(parts, (put) => {
          this.#forwards.give(put);
        }),
    );
  }

  serve(session: Session, frame: Incoming): void {
    const member = session.acceptance?.member;
    if (member === undefined || member === null || this.#credentials.memberOf(member.nodeId) === undefined) {
      this.#refuse(session, frame, failure('DENIED', 'Only members of the ring are served here'));
    } else if (frame.kind === STORE) {
      this.#store(session, frame);
    } else if (frame.kind === READ) {
      this.#read(session, frame);
    } else if (frame.kind === FORWARD) {
      this.#forward(session, frame);
    } else if (frame.kind === LOADS) {
      serveLoads(this.#parts.services, session, frame);
    } else if (isExchangeKind(frame.kind)) {
      this.#exchanges.serve(session, frame);
    } else if (this.ringLog?.serve(session, frame, this.#ordinalOf(session)) === true) {
      return;
    } else if (this.gossiper?.serve(session, frame) === true || this.transfers?.serve(session, frame) === true) {
      return;
    } else if (this.survey?.serve(session, frame) === true) {
      return;
    } else if (this.archives?.serve(session, frame) === true) {
      return;
    } else if (!this.#reaps.serve(session, frame)) {
      this.#malformed(session, frame, `A ${nameOfKind(frame.kind)} frame is not a request that nodes serve each other`);
    }
  }

  #store(session: Session, frame: Incoming): void {
    const view = this.#storeView;
    const fault = decodeStoreInto(view, frame.bytes, frame.start, frame.end);
    if (fault !== '') {
      this.#malformed(session, frame, `STORE cannot be read: ${fault}`);
      return;
    }
    const { services, meters } = this.#parts;
    const { bytes, partition, record } = view;
    const damage = checkRecord(bytes, record.start, record.end, services.hash, null);
    if (damage !== null) {
      meters.damagedOnTheWay.add(1);
      this.#refuse(
        session,
        frame,
        failure('INVALID_ARGUMENT', `The record failed its check (${damage}): send it again`),
      );
      return;
    }
    services.hash.hash(bytes, recordKeyStart(record.start), recordKeyEnd(bytes, record.start));
    const { hi, lo } = services.hash;
    if (partitionOf(hi, services.partitionBits) !== partition) {
      this.#refuse(session, frame, failure('INVALID_ARGUMENT', `The record's key is not of partition ${partition}`));
      return;
    }
    const store = this.#stores.take();
    const { write } = store;
    store.session = session;
    write.requestId = frame.requestId;
    write.bodyBytes = frame.bodyBytes;
    write.partition = partition as PartitionId;
    write.hashHi = hi;
    write.hashLo = lo;
    write.hintFor = this.#hintsFor(partition, view.hintFor);
    write.durable = view.durable || write.hintFor.length > 0;
    write.fence = view.fence;
    write.passesLog = view.reason !== 'put';
    write.from = write.passesLog ? this.#ordinalOf(session) : 0;
    write.start(store, bytes, record.start, record.end);
  }

  /**
   * For whom it is kept here. The sender may have another ring: what it means for a node that owns nothing by ours, or for
   * this one where it keeps no copy, is for all owners.
   */
  #hintsFor(partition: number, named: number): readonly number[] {
    const { preferences, self } = this.#parts;
    if (named !== 0 && named !== self && preferences.isOwner(partition, named)) return [named];
    return preferences.isHolder(partition, self) ? NOBODY : preferences.ownersOf(partition);
  }

  stored(store: ReplicaStore, write: RecordWrite, durable: boolean): void {
    const session = store.session as Session;
    store.session = null;
    const { requestId, bodyBytes, hintFor } = write;
    this.#stores.give(store);
    this.#parts.meters.stored.add(1);
    if (!write.passesLog) this.#parts.services.loads.wrote(write.partition, write.bytesHint);
    if (!session.closed) {
      const reply = this.#storeReply;
      reply.ringVersion = this.#parts.preferences.ringVersion;
      reply.durable = durable;
      reply.hinted = hintFor.length > 0;
      reply.fence = this.#parts.reaps.stampOf(write.partition);
      const { connection } = session;
      const at = connection.claim(sizeOfStoreReplyFrame(reply));
      writeStoreReplyFrame(connection.output, at, requestId, reply);
    }
    session.finish(bodyBytes);
  }

  notStored(store: ReplicaStore, write: RecordWrite, refusal: Failure): void {
    const session = store.session as Session;
    store.session = null;
    const { requestId, bodyBytes } = write;
    this.#stores.give(store);
    this.#parts.meters.refused.add(1);
    replyError(session, requestId, refusal, this.#parts.preferences.ringVersion);
    session.finish(bodyBytes);
  }

  #ordinalOf({ acceptance }: Session): number {
    return this.#credentials.memberOf(acceptance?.member?.nodeId ?? '')?.ordinal ?? 0;
  }

  #read(session: Session, frame: Incoming): void {
    const view = this.#readView;
    const fault = decodeReadInto(view, frame.bytes, frame.start, frame.end);
    if (fault !== '') {
      this.#malformed(session, frame, `READ cannot be read: ${fault}`);
      return;
    }
    const { services } = this.#parts;
    const { bytes, key, partition } = view;
    const keyBytes = key.end - key.start;
    services.hash.hash(bytes, key.start, key.end);
    const { hi, lo } = services.hash;
    if (keyBytes === 0 || keyBytes > KEY_BYTES_MAX || partitionOf(hi, services.partitionBits) !== partition) {
      this.#refuse(
        session,
        frame,
        failure('INVALID_ARGUMENT', `A key of ${keyBytes} bytes is none of partition ${partition}`),
      );
      return;
    }
    const read = this.#reads.take();
    read.partition = partition as PartitionId;
    read.key = bytes.subarray(key.start, key.end);
    read.hashHi = hi;
    read.hashLo = lo;
    read.ringVersion = view.ringVersion;
    read.start(session, frame.requestId, frame.bodyBytes);
  }

  #forward(session: Session, frame: Incoming): void {
    const view = this.#forwardView;
    const fault = decodeForwardInto(view, frame.bytes, frame.start, frame.end);
    const decode = view.kind === PUT ? decodePutInto : view.kind === DELETE ? decodeDeleteInto : null;
    if (fault !== '' || decode === null) {
      this.#malformed(
        session,
        frame,
        `FORWARD cannot be read: ${fault === '' ? `it holds a ${nameOfKind(view.kind)}` : fault}`,
      );
      return;
    }
    if (session.isLate(view.sentMs, view.budgetMs)) {
      this.#refuse(session, frame, TOO_LATE);
      return;
    }
    const put = this.#putView;
    const inner = decode(put, view.bytes, view.body.start, view.body.end);
    if (inner !== '') {
      this.#malformed(session, frame, `FORWARD cannot be read: ${nameOfKind(view.kind)}: ${inner}`);
      return;
    }
    put.budgetMs = view.budgetMs;
    const forwarded = this.#forwards.take();
    forwarded.session = session;
    forwarded.work.requestId = frame.requestId;
    forwarded.work.bodyBytes = frame.bodyBytes;
    forwarded.work.start(forwarded, put satisfies PutRequest, frame.nowMs);
  }

  #refuse(session: Session, frame: Incoming, refusal: Failure): void {
    this.#parts.meters.refused.add(1);
    const { requestId, bodyBytes } = frame;
    replyError(session, requestId, refusal, this.#parts.preferences.ringVersion);
    session.finish(bodyBytes);
  }

  #malformed(session: Session, frame: Incoming, text: string): void {
    const { requestId, bodyBytes } = frame;
    session.finish(bodyBytes);
    session.refuse(requestId, failure('PROTOCOL', text));
  }
}
