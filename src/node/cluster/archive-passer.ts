/* What administration asks a member for archives and restores; archive-server.ts does it. */
import type { ArchiveAsk, ArchiveAskReply } from '../../model/archive-messages.js';
import type { Failure } from '../../model/errors.js';

export interface ArchivePasser {
  /** Has the member that is meant answer; `answer` comes once, at once or later. */
  passOn(ask: ArchiveAsk, answer: (reply: ArchiveAskReply | Failure) => void): void;
}
