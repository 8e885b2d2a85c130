/* A bug planted by text: compiled sources with one passage changed, so that the sources themselves carry no switches. */

/** Every name in it is one of the compiled file's own: types are gone, layout is the compiler's. */
export interface Passage {
  readonly from: string;
  readonly to: string;
}

/** A passage that is not there exactly once is an error: whoever rewrites it decides anew what the bug would be. */
export function plant(source: string, { from, to }: Passage, bug: string, file: string): string {
  const times = source.split(from).length - 1;
  if (times === 1) return source.replace(from, () => to);
  throw new Error(`${bug}: the passage is ${times} times in ${file}, and must be there exactly once: ${from}`);
}
