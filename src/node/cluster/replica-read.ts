/* READ: what this node holds under a key, for another that coordinates a get. */
import { copyBytes } from '../../lib/bytes.js';
import type { PartitionId } from '../../model/ids.js';
import type { ReadReplyHead, ReadState } from '../../model/peer-messages.js';
import type { ReadRequest, Stored } from '../../storage/storage.js';
import { sizeOfReadReplyFrame, writeReadReplyFrame, writeReadReplyHead } from '../../wire/write-peer.js';
import { OWN_CHUNK_BYTES_MIN } from '../replies.js';
import type { Session } from '../session.js';
import type { ClusterParts } from './parts.js';

const NOTHING = new Uint8Array(0);

export class ReplicaRead implements ReadRequest {
  partition: PartitionId = 0 as PartitionId;
  key: Uint8Array = NOTHING;
  hashHi: number = 0;
  hashLo: number = 0;
  /** That the asker lives by. */
  ringVersion: number = 0;
  readonly #parts: ClusterParts;
  readonly #over: (read: ReplicaRead) => void;
  readonly #head: { -readonly [K in keyof ReadReplyHead]: ReadReplyHead[K] };
  #session: Session | null = null;
  #requestId = 0;
  #bodyBytes = 0;
  #isAnswered = true;

  constructor(parts: ClusterParts, over: (read: ReplicaRead) => void) {
    this.#parts = parts;
    this.#over = over;
    this.#head = { state: 'unknown', ringVersion: 0, fence: 0, reason: '' };
  }

  /** Place and key have been set; the key's bytes are needed only until this returns. */
  start(session: Session, requestId: number, bodyBytes: number): void {
    this.#session = session;
    this.#requestId = requestId;
    this.#bodyBytes = bodyBytes;
    this.#isAnswered = false;
    this.#parts.services.storage.read(this);
    if (!this.#isAnswered) this.key = copyBytes(this.key);
  }

  onRead(stored: Stored): void {
    this.#isAnswered = true;
    const session = this.#session as Session;
    this.#session = null;
    this.#parts.meters.read.add(1);
    this.#parts.services.loads.read(this.partition, stored.end - stored.start);
    if (!session.closed) this.#reply(session, stored);
    this.#over(this);
    session.finish(this.#bodyBytes);
  }

  #reply({ connection }: Session, { state, reason, bytes, start, end, owned }: Stored): void {
    const head = this.#head;
    const { reaps, fences, preferences } = this.#parts;
    head.ringVersion = preferences.ringVersion;
    const { partition } = this;
    const ground = fences.hides(partition, state === 'ok')
      ? 'It is being told what was reaped'
      : preferences.isPastOwner(partition, this.ringVersion)
        ? `It is no owner any more, by ring ${preferences.ringVersion}`
        : '';
    head.state = ground === '' ? STATES[state] : 'unknown';
    head.reason = ground === '' && state === 'unknown' ? reason : ground;
    head.fence = reaps.stampOf(this.partition);
    const size = head.state === 'found' ? end - start : 0;
    const frameBytes = sizeOfReadReplyFrame(head, size);
    if (owned && size >= OWN_CHUNK_BYTES_MIN) {
      const at = connection.claim(frameBytes - size);
      writeReadReplyHead(connection.output, at, this.#requestId, head, size);
      connection.sendChunk(bytes.subarray(start, end));
    } else {
      const at = connection.claim(frameBytes);
      writeReadReplyFrame(connection.output, at, this.#requestId, head, bytes, start, start + size);
    }
  }
}

const STATES: Readonly<Record<Stored['state'], ReadState>> = { ok: 'found', absent: 'absent', unknown: 'unknown' };
