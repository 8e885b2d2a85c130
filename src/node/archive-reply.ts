/* What the command that archives, or restores, has this node pass on. */
import { failure } from '../model/errors.js';
import { decodeArchive, encodeArchiveReply } from '../wire/codec-archive.js';
import { ARCHIVE_REPLY } from '../wire/kinds.js';
import { isFault } from '../wire/plain.js';
import type { AdminAnswer } from './background-reply.js';
import type { ArchivePasser } from './cluster/archive-passer.js';
import type { Incoming } from './incoming.js';

export function answerArchive(
  archives: ArchivePasser | null,
  frame: Incoming,
  done: (answer: AdminAnswer) => void,
): void {
  const ask = decodeArchive(frame.bytes, frame.start, frame.end);
  if (isFault(ask)) return done(`ARCHIVE cannot be read: ${ask}`);
  if (archives === null) return done({ op: 'archive', body: null, refusal: NO_FILES });
  archives.passOn(ask, (reply) => {
    done(
      'code' in reply
        ? { op: 'archive', body: null, refusal: reply }
        : { op: 'archive', kind: ARCHIVE_REPLY, body: encodeArchiveReply(reply) },
    );
  });
}

const NO_FILES = failure(
  'INVALID_ARGUMENT',
  'This node does not keep its partitions in files, so no archives are made of them',
);
