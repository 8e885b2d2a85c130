/* Stands in for the hints of the store until it keeps them: they are forgotten with the process. */
import type { Hint } from '../coordinator/hint-book.js';
import type { Ack, HintStorage } from '../storage/hint-storage.js';

export class HintsInMemory implements HintStorage {
  restored(): readonly Hint[] {
    return [];
  }

  keep(_hint: Hint, ack: Ack): void {
    queueMicrotask(() => {
      ack.onWritten(true);
    });
  }

  drop(_hint: Hint, ack: Ack): void {
    queueMicrotask(() => {
      ack.onWritten(true);
    });
  }
}
