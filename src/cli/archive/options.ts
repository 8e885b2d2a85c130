/* Options that the commands about archives share. */
import { UsageError } from '../io.js';

/** `0-15,77`, in order, each once; absent: all. */
export function parsePartitions(text: string | undefined, partitionCount: number): readonly number[] {
  if (text === undefined) return Array.from({ length: partitionCount }, (_, i) => i);
  const wanted = new Set<number>();
  for (const word of text.split(',')) {
    const [, first, last] = /^([0-9]{1,4})(?:-([0-9]{1,4}))?$/.exec(word.trim()) ?? [];
    const [from, until] = [Number(first), Number(last ?? first)];
    if (!(from <= until && until < partitionCount))
      throw new UsageError(
        `--partitions: ${JSON.stringify(word)} is no partition, and no range of them: they are 0 to ${partitionCount - 1}. Write 0-15,77`,
      );
    for (let partition = from; partition <= until; partition++) wanted.add(partition);
  }
  return [...wanted].sort((a, b) => a - b);
}
