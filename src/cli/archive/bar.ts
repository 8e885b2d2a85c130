/* How far something is, in one line of the terminal. */
const WIDTH = 24;

export function bar(done: number, all: number): string {
  const filled = all === 0 ? WIDTH : Math.floor((WIDTH * done) / all);
  return `[${'#'.repeat(filled)}${'.'.repeat(WIDTH - filled)}] ${done} of ${all}`;
}
