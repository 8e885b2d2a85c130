/*
 *   0  stopped as asked: drained, synced, closed
 *   1  failed, or told to stop a second time while draining. Nothing acknowledged is lost
 *   2  the command line or the configuration is wrong
 *   3  the directory or the machine does not allow a start (in use by another daemon, kernel limits, damaged log)
 *
 * 2 and 3 do not go away by trying again: the systemd unit does not restart after them.
 */
export const EXIT_STOPPED = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
export const EXIT_REFUSED = 3;
