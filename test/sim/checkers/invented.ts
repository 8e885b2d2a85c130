/*
 * Nothing is invented: every value that was shown names the put that wrote it, byte by byte (support/stamp.ts); that put
 * was asked for, under this key, before the answer; and it was not one of which the client had been told that it did
 * not happen.
 */
import type { Evidence } from '../evidence.js';
import type { Violation } from '../violation.js';

export function checkInvented(evidence: Evidence): Violation[] {
  const violations: Violation[] = [];
  for (const { key, reads, writes } of evidence.history.keys.values()) {
    const say = (text: string): void => {
      violations.push({ checker: 'invented', key, text });
    };
    for (const read of reads) {
      for (const fault of read.faults) say(`a value that nobody wrote, at ${Math.round(read.endMs)} ms: ${fault}`);
      for (const id of read.ids) {
        const write = writes.get(id);
        if (write === undefined) say(`put ${id} was shown and never sent for this key`);
        else if (write.startMs > read.endMs) say(`put ${id} was shown before it was sent`);
        else if (write.outcome === 'refused')
          say(`put ${id} was shown, though its client was told that it did not happen`);
      }
    }
  }
  return violations;
}
