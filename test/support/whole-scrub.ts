/* A file scrubbed from one end to the other, slice by slice, with what was found put together. */
import type { ScrubSlice, SliceTask } from '../../src/env/workers.js';
import { scrubSlice } from '../../src/workers/tasks.js';

export interface WholeScrub {
  readonly slices: number;
  readonly records: number;
  readonly damaged: readonly Uint8Array[];
  readonly hidden: number;
  readonly differingLeaves: number;
  readonly unexplained: readonly number[];
}

type Ask = (task: SliceTask) => ScrubSlice | Promise<ScrubSlice>;

/** `ask`: a pool's; otherwise it is done here. */
export async function wholeScrub(
  where: Pick<SliceTask, 'path' | 'partition' | 'leafCount'>,
  ask: Ask = scrubSlice,
  recordsMax: number = 1_000,
): Promise<WholeScrub> {
  const slices: ScrubSlice[] = [];
  for (let fromLeaf = 0; fromLeaf < where.leafCount;) {
    const slice = await ask({ ...where, fromLeaf, recordsMax, bytesMax: 1_048_576 });
    if (slice.nextLeaf <= fromLeaf) throw new Error(`A slice from leaf ${fromLeaf} ends at ${slice.nextLeaf}`);
    slices.push(slice);
    fromLeaf = slice.nextLeaf;
  }
  const sum = (of: (slice: ScrubSlice) => number): number => slices.reduce((total, slice) => total + of(slice), 0);
  return {
    slices: slices.length,
    records: sum(({ records }) => records),
    damaged: slices.flatMap(({ damaged }) => damaged.map(({ key }) => key)),
    hidden: sum(({ hidden }) => hidden),
    differingLeaves: sum(({ differingCount }) => differingCount),
    unexplained: slices.flatMap(({ unexplained }) => unexplained),
  };
}
