/*
 * A start has gone well when the node has served for a minute, and has read all of its files once more if it was not
 * stopped cleanly before. Until then one that dies counts as another unclean start: two in a row, and a child process
 * reads the files first. Without the second condition a file that kills its reader would do so for ever, each time after
 * the minute, since it is the scrub that meets it.
 */
import type { TimerHandle, Timers } from '../env/clock.js';
import type { NodeMetaFile } from '../storage/node-meta.js';

const SERVED_WELL_MS = 60_000;

/** Forgets the unclean starts of before when all is well. */
export function watchServedWell(
  timers: Timers,
  meta: Pick<NodeMetaFile, 'update'>,
  isVerifying: () => boolean,
  fatal: (error: Error) => void,
): TimerHandle {
  let timer = timers.after(SERVED_WELL_MS, look);
  function look(): void {
    if (isVerifying()) timer = timers.after(SERVED_WELL_MS, look);
    else
      meta.update({ uncleanStarts: 0 }, (error) => {
        if (error !== null) fatal(error);
      });
  }
  return {
    cancel: () => {
      timer.cancel();
    },
  };
}
