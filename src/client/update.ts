/*
 * Read, change, write back with the context; and when somebody else wrote meanwhile, make one of the siblings.
 *
 * The change is applied to what was read. If the put's reply counts more than one version, ours is already stored beside
 * another: applying the change again would apply it twice. So with a resolver the later rounds write what the resolver
 * makes of the siblings and nothing else; without one, `change` is asked again, with the siblings, and is expected to
 * merge them. Two clients that merge at once make siblings again, hence the pause of random length between rounds; after
 * the last round the write has happened all the same, and the count says that there are siblings.
 */
import type { Context } from './context.js';
import type { GetResult, PutResult, Sibling } from './results.js';

export interface UpdateSteps<T> {
  read(): Promise<GetResult<T>>;
  write(value: T, context: Context): Promise<PutResult>;
  pause(round: number): Promise<void>;
  change(current: T | undefined, siblings: readonly Sibling<T>[]): T | Promise<T>;
  readonly roundsMax: number;
}

export async function update<T>(steps: UpdateSteps<T>): Promise<PutResult> {
  const first = await steps.read();
  let result = await steps.write(await steps.change(currentOf(first), siblingsOf(first)), first.context);
  for (let round = 2; round <= steps.roundsMax && result.siblingCount > 1; round++) {
    await steps.pause(round);
    const read = await steps.read();
    const siblings = siblingsOf(read);
    if (siblings.length < 2) return { ...result, context: read.context, siblingCount: siblings.length }; // somebody merged them
    const value = read.found && !read.conflict ? read.value : await steps.change(undefined, siblings);
    result = await steps.write(value, read.context);
  }
  return result;
}

function currentOf<T>(read: GetResult<T>): T | undefined {
  return read.found && !read.conflict ? read.value : undefined;
}

function siblingsOf<T>(read: GetResult<T>): readonly Sibling<T>[] {
  return read.found ? read.siblings : [];
}
