/*
 * What hints promise: of every put in a record beside which a hint was kept, durably, the owner that it was for has it in
 * the end, or what replaced it; and if that one owns it no more, those who do. Seen between a node and its store: what the
 * node itself believes to have delivered has no say in it.
 *
 * Where something was destroyed on the keeper's disk since, nothing is claimed. Of an owner that took the partition over
 * as a file, neither: what came so was not seen record by record.
 */
import type { Hint } from '../../src/coordinator/hint-book.js';
import type { HintStorage } from '../../src/storage/hint-storage.js';
import { type Storage, type Stored, WAIT_FOR_EARLIER, type WriteRequest } from '../../src/storage/storage.js';
import type { KeptHint } from './evidence.js';
import { PassingWrite, wrappingWrites } from './mutants/wrappers.js';
import { putIdsOf } from './strangers.js';
import { textOf } from './tools.js';

export interface KeptHintsWorld {
  /** The put, or what replaced it, has been on the node's disk. */
  wasDurable(putId: string, node: number): boolean;
  /** When what the node held under the key was last destroyed. */
  destroyedMs(node: number, key: string): number;
  /** Nodes that own it now; of those that came by it as a file it is not known what they have had. */
  ownersOf(key: string): readonly { readonly node: number; readonly hasFile: boolean }[];
  nowMs(): number;
}

/** A hint on its way to the disk, and the puts in the record that it stands for. */
interface Keeping {
  readonly owner: number;
  readonly key: string;
  putIds: readonly string[];
}

export class KeptHints {
  readonly #world: KeptHintsWorld;
  /** By node, owner, key and put id: when the hint was on the disk. */
  readonly #kept: Map<string, KeptHint> = new Map();
  /** Node → hints that its store keeps while it decides on a record. */
  readonly #deciding: Map<number, Keeping[]> = new Map();

  constructor(world: KeptHintsWorld) {
    this.#world = world;
  }

  watch(inner: Storage, node: number): Storage {
    return wrappingWrites((request) => new HintedWrite(request, node, this.#deciding))(inner);
  }

  watchHints(inner: HintStorage, node: number): HintStorage {
    return {
      restored: () => inner.restored(),
      keep: (hint, ack) => {
        const keeping = this.#begin(hint, node);
        inner.keep(hint, {
          durable: ack.durable,
          onWritten: (durable) => {
            if (durable) this.#end(keeping, node);
            ack.onWritten(durable);
          },
        });
      },
      drop: (hint, ack) => {
        inner.drop(hint, ack);
      },
    };
  }

  /** Those of which an owner has never had the put. */
  broken(): readonly KeptHint[] {
    const owners = new Map<string, ReturnType<KeptHintsWorld['ownersOf']>>();
    return [...this.#kept.values()].flatMap((hint) => {
      const { node, key, putId, atMs } = hint;
      if (!this.#world.wasDurable(putId, node) || this.#world.destroyedMs(node, key) >= atMs) return [];
      if (this.#world.wasDurable(putId, hint.owner)) return [];
      const own = owners.get(key) ?? this.#world.ownersOf(key);
      owners.set(key, own);
      const isOwner = own.some((one) => one.node === hint.owner);
      const lacking = own
        .filter((one) => (isOwner ? one.node === hint.owner : !one.hasFile && !this.#world.wasDurable(putId, one.node)))
        .map((one) => one.node);
      return lacking.length === 0 ? [] : [{ ...hint, lacking }];
    });
  }

  #begin({ owner, key }: Hint, node: number): Keeping {
    const keeping = { owner: owner - 1, key, putIds: [] };
    this.#deciding.get(node)?.push(keeping);
    return keeping;
  }

  #end({ owner, putIds, key }: Keeping, node: number): void {
    const atMs = this.#world.nowMs();
    for (const putId of putIds)
      this.#kept.set(`${node}/${owner}/${putId}/${key}`, { node, owner, key, putId, atMs, lacking: [] });
  }
}

class HintedWrite extends PassingWrite {
  readonly #node: number;
  readonly #deciding: Map<number, Keeping[]>;
  #keeping: readonly Keeping[] = [];

  constructor(inner: WriteRequest, node: number, deciding: Map<number, Keeping[]>) {
    super(inner);
    this.#node = node;
    this.#deciding = deciding;
  }

  override decide(stored: Stored): number {
    const keeping: Keeping[] = [];
    this.#deciding.set(this.#node, keeping);
    const size = this.inner.decide(stored);
    this.#deciding.delete(this.#node);
    const name = textOf(this.key);
    this.#keeping = keeping.filter(({ key }) => key === name);
    if (size === WAIT_FOR_EARLIER) this.#areOf(putIdsOf(stored.bytes.subarray(0, stored.end), stored.start));
    return size;
  }

  override encode(target: Uint8Array, at: number): void {
    this.inner.encode(target, at);
    if (this.#keeping.length > 0) this.#areOf(putIdsOf(target, at));
  }

  #areOf(putIds: readonly string[]): void {
    for (const keeping of this.#keeping) keeping.putIds = putIds;
    this.#keeping = [];
  }
}
