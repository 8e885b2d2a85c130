/*
 * What nodes hold of partitions that are not theirs, by the ring that each lives by: seen between a node and its engine,
 * and in what it keeps as hints. Two things are written down for the checkers:
 *
 *   unhinted   a put came to such a node, and no hint says whom it is for
 *   dropped    a copy was dropped that was the node's own once; and which of the owners had never had that put on their
 *              disks. (Where a hint has gone home since, the copy may be dropped as soon as the one owner that it was for
 *              has it; of that nothing is claimed here.)
 */
import type { Hint } from '../../src/coordinator/hint-book.js';
import { copyBytes } from '../../src/lib/bytes.js';
import type { RingDocument } from '../../src/ring/document.js';
import type { HintStorage } from '../../src/storage/hint-storage.js';
import type { MoveStorage } from '../../src/storage/move-storage.js';
import { DROP_RECORD, type Storage, type Stored, type WriteRequest } from '../../src/storage/storage.js';
import { keyName } from '../../src/storage/storage-key.js';
import {
  PUT_ID_BYTES,
  SIBLING_HEADER_BYTES,
  SIBLING_PUT_ID,
  siblingCount,
  siblingsStart,
} from '../../src/versioning/record.js';
import type { StrangersView } from './evidence.js';
import { PassingWrite, wrappingWrites } from './mutants/wrappers.js';
import { hexOf } from './tools.js';

export interface StrangersWorld {
  /** That the node lives by. */
  ringOf(node: number): RingDocument | null;
  /** The put has been on the node's disk. */
  wasDurable(putId: string, node: number): boolean;
  nowMs(): number;
}

interface KeyPart {
  readonly partition: number;
  readonly key: Uint8Array;
}

const placeOf = (node: number, partition: number): string => `${node}/${partition}`;

/** Hints of one node, by key. */
class HintsOfNode {
  readonly kept: Map<string, Set<number>> = new Map();
  /** Keys of which one has gone since the node was no owner any more. */
  readonly gone: Set<string> = new Set();
}

export class Strangers implements StrangersView {
  readonly unhinted: StrangersView['unhinted'][number][] = [];
  readonly dropped: StrangersView['dropped'][number][] = [];
  readonly #world: StrangersWorld;
  readonly #hints: Map<number, HintsOfNode> = new Map();
  /** Nodes and partitions that have come as files. */
  readonly #files: Set<string> = new Set();

  constructor(world: StrangersWorld) {
    this.#world = world;
  }

  watch(inner: Storage, node: number): Storage {
    return wrappingWrites((request) => new StrangerWrite(request, node, this))(inner);
  }

  watchHints(inner: HintStorage, node: number): HintStorage {
    const hints = this.#hintsOf(node);
    hints.kept.clear();
    const keep = ({ id, key }: Hint): void => {
      const ids = hints.kept.get(key);
      if (ids === undefined) hints.kept.set(key, new Set([id]));
      else ids.add(id);
    };
    for (const hint of inner.restored()) keep(hint);
    return {
      restored: () => inner.restored(),
      keep: (hint, ack) => {
        keep(hint);
        inner.keep(hint, ack);
      },
      drop: (hint, ack) => {
        hints.kept.get(hint.key)?.delete(hint.id);
        if (this.ownersBeside(node, hint.partition) !== null) hints.gone.add(hint.key);
        inner.drop(hint, ack);
      },
    };
  }

  /** Owners of a partition in whose place the node holds what it holds; null: it is one of them, or changes with them. */
  ownersBeside(node: number, partition: number): readonly number[] | null {
    const ring = this.#world.ringOf(node);
    if (ring === null) return null;
    const ordinal = node + 1;
    const owners = ring.owners.slice(partition * ring.replicaCount, (partition + 1) * ring.replicaCount);
    const isMoving = ring.moves.some(
      (move) => move.partition === partition && (move.to === ordinal || move.from === ordinal),
    );
    return isMoving || owners.includes(ordinal) ? null : owners.map((owner) => owner - 1);
  }

  /** As its own. */
  isAtHome(node: number, key: Uint8Array): void {
    this.#hintsOf(node).gone.delete(keyName(key, 0, key.length));
  }

  cameTo(node: number, key: Uint8Array, putIds: readonly string[]): void {
    const name = keyName(key, 0, key.length);
    if (putIds.length === 0 || (this.#hintsOf(node).kept.get(name)?.size ?? 0) > 0) return;
    for (const putId of putIds) this.unhinted.push({ node, key: textOfKey(key), putId, atMs: this.#world.nowMs() });
  }

  /** What comes in a file is not seen record by record: of an owner that has had one of the partition nothing is claimed. */
  watchMoves(inner: MoveStorage, node: number): MoveStorage {
    return {
      copyFile: (partition, path, done) => {
        inner.copyFile(partition, path, done);
      },
      dropPartition: (partition, mayGo, done) => {
        inner.dropPartition(partition, mayGo, done);
      },
      installFile: (partition, path, done) => {
        this.#files.add(placeOf(node, partition));
        inner.installFile(partition, path, done);
      },
      takeFile: (partition, file, done) => {
        this.#files.add(placeOf(node, partition));
        inner.takeFile(partition, file, done);
      },
      room: (done) => {
        inner.room(done);
      },
      written: (partition) => inner.written(partition),
    };
  }

  hasHadFile(node: number, partition: number): boolean {
    return this.#files.has(placeOf(node, partition));
  }

  wentFrom(node: number, place: KeyPart, owners: readonly number[], putIds: readonly string[]): void {
    const { partition, key } = place;
    if (this.#hintsOf(node).gone.has(keyName(key, 0, key.length))) return;
    const seen = owners.filter((owner) => !this.hasHadFile(owner, partition));
    for (const putId of putIds) {
      const lacking = seen.filter((owner) => !this.#world.wasDurable(putId, owner));
      this.dropped.push({ node, key: textOfKey(key), putId, atMs: this.#world.nowMs(), lacking });
    }
  }

  #hintsOf(node: number): HintsOfNode {
    let hints = this.#hints.get(node);
    if (hints === undefined) {
      hints = new HintsOfNode();
      this.#hints.set(node, hints);
    }
    return hints;
  }
}

const NOTHING = new Uint8Array(0);

class StrangerWrite extends PassingWrite {
  readonly #node: number;
  readonly #strangers: Strangers;
  #isStranger = false;
  #before: Uint8Array = NOTHING;

  constructor(inner: WriteRequest, node: number, strangers: Strangers) {
    super(inner);
    this.#node = node;
    this.#strangers = strangers;
  }

  override decide(stored: Stored): number {
    const owners = this.#strangers.ownersBeside(this.#node, this.partition);
    this.#isStranger = owners !== null;
    if (owners === null) return this.inner.decide(stored);
    this.#before = copyBytes(stored.bytes, stored.start, stored.end);
    const size = this.inner.decide(stored);
    if (size === DROP_RECORD) this.#strangers.wentFrom(this.#node, this, owners, putIdsOf(this.#before, 0));
    return size;
  }

  override encode(target: Uint8Array, at: number): void {
    this.inner.encode(target, at);
    if (!this.#isStranger) {
      this.#strangers.isAtHome(this.#node, this.key);
      return;
    }
    const before = putIdsOf(this.#before, 0);
    const came = putIdsOf(target, at).filter((putId) => !before.includes(putId));
    this.#strangers.cameTo(this.#node, this.key, came);
  }
}

export function putIdsOf(bytes: Uint8Array, start: number): readonly string[] {
  if (bytes.length === start) return [];
  const first = siblingsStart(bytes, start) + SIBLING_PUT_ID;
  return Array.from({ length: siblingCount(bytes, start) }, (_, i) => {
    const at = first + i * SIBLING_HEADER_BYTES;
    return hexOf(bytes, at, at + PUT_ID_BYTES);
  });
}

const textOfKey = (key: Uint8Array): string => Buffer.from(key).toString('latin1');
