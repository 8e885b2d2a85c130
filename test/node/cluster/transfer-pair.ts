/*
 * Two stores that move a partition between them, on one clock: their engines and what moves files are the real ones, the
 * connection between them is a delay that may lose what it carries.
 */
import { FreeSlices } from '../../../src/background/slices.js';
import type { ClusterParts } from '../../../src/node/cluster/parts.js';
import { Transfers } from '../../../src/node/cluster/transfers.js';
import type { BulkLink } from '../../../src/node/peers/bulk-link.js';
import type { BodyAsker } from '../../../src/node/peers/request.js';
import type { TransferResult } from '../../../src/transfer/file-receiver.js';
import { HASH } from '../../storage/engine-requests.js';
import { World } from '../../storage/engine-world.js';
import { serveTransfer } from '../../support/transfer-session.js';
import { silentLog } from '../../support/silent.js';
import { SimulatedTime, type TimeScope } from '../../support/simulated-time.js';

export const PARTITIONS = 64;

export class Pair {
  readonly time: SimulatedTime = new SimulatedTime();
  readonly donor: World;
  readonly receiver: World;
  donating: Transfers | null = null;
  transfers: Transfers | null = null;
  /** Of questions and of answers. */
  lost = 0;
  /** Bytes of answers that have arrived. */
  arrived = 0;
  #donorScope: TimeScope;
  #receiverScope: TimeScope;

  constructor(seed: number) {
    const { time } = this;
    this.#donorScope = time.scope();
    this.#receiverScope = time.scope();
    this.donor = new World({ seed, time, partitionCount: PARTITIONS });
    this.receiver = new World({ seed: seed + 1, time, partitionCount: PARTITIONS });
    this.startDonor();
    this.startReceiver();
  }

  startDonor(): void {
    throwIf(this.donor.start());
    this.#donorScope = this.time.scope();
    this.donating = this.#transfersOf(this.donor, this.#donorScope, () => false);
  }

  startReceiver(): void {
    throwIf(this.receiver.start());
    this.#receiverScope = this.time.scope();
    const ask: BulkLink['ask'] = (kind, body, timeoutMs, asker) => {
      this.#ask(this.#receiverScope, { kind, body, timeoutMs, asker });
      return true;
    };
    this.transfers = this.#transfersOf(this.receiver, this.#receiverScope, ask);
  }

  #transfersOf(world: World, scope: TimeScope, ask: BulkLink['ask']): Transfers {
    const engine = world.up();
    const parts = {
      self: 1,
      timers: scope,
      links: { bulk: () => ({ ask }) },
      services: { log: silentLog, hash: HASH, storage: engine, ring: { partitionCount: PARTITIONS, version: 1 } },
      preferences: { isOwner: (partition: number) => partition === 0 },
      reaps: engine.reaps,
      nowMs: () => this.time.monotonicMs(),
    };
    const { moves } = engine;
    const slices = new FreeSlices(scope);
    return new Transfers({ parts: parts as unknown as ClusterParts, moves, disk: world.disk, slices });
  }

  crashDonor(kind: 'kill' | 'power'): void {
    this.#donorScope.end();
    this.donating = null;
    this.donor.crash(kind);
  }

  crashReceiver(kind: 'kill' | 'power'): void {
    this.#receiverScope.end();
    this.transfers = null;
    this.receiver.crash(kind);
  }

  fetch(moveId: number): { result: TransferResult | null } {
    const told: { result: TransferResult | null } = { result: null };
    this.transfers?.fetch(0, 1, moveId, (result) => {
      told.result = result;
    });
    return told;
  }

  fetchNow(moveId: number): TransferResult {
    const told = this.fetch(moveId);
    this.time.runUntil(() => told.result !== null);
    return told.result as TransferResult;
  }

  #ask(
    from: TimeScope,
    question: {
      readonly kind: number;
      readonly body: Uint8Array;
      readonly timeoutMs: number;
      readonly asker: BodyAsker;
    },
  ): void {
    const { kind, body, timeoutMs, asker } = question;
    const { random } = this.receiver;
    let isOver = false;
    const ended = (tell: () => void): void => {
      if (isOver) return;
      isOver = true;
      tell();
    };
    from.after(timeoutMs, () => {
      ended(() => {
        asker.onUnanswered(1, 0, 'timeout');
      });
    });
    if (random.chance(this.lost)) return;
    this.time.after(random.float(), () => {
      if (this.donating === null) return;
      serveTransfer(this.donating, kind, body, (answer, refusal) => {
        if (random.chance(this.lost)) return;
        from.after(random.float(), () => {
          ended(() => {
            this.arrived += answer.length;
            if (refusal === null) asker.onAnswered(1, 0, answer, 0, answer.length);
            else asker.onRefused(1, 0, refusal);
          });
        });
      });
    });
  }
}

function throwIf(error: Error | null): void {
  if (error !== null) throw error;
}
