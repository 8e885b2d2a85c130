/*
 * The requests of archives and restores: served to members that pass them on, and passed on for the command that asks this
 * node. What is meant for this node itself takes the same way, without a frame.
 *
 * Who passes on pieces pays for them: whoever archives through a busy node waits for that node's slices. What is restored is
 * paid for by whoever takes it.
 */
import type { Slices } from '../../background/slices.js';
import { copyBytes } from '../../lib/bytes.js';
import type { ArchiveAsk, ArchiveAskReply } from '../../model/archive-messages.js';
import { buildText, canBeAsked } from '../../model/build.js';
import { failure, type Failure } from '../../model/errors.js';
import {
  decodeArchiveRecords,
  decodeArchiveState,
  encodeArchiveRecordsReply,
  encodeArchiveStateReply,
} from '../../wire/codec-archive.js';
import {
  decodeTransferChunk,
  decodeTransferClose,
  decodeTransferOpen,
  encodeTransferChunkReply,
  encodeTransferCloseReply,
  encodeTransferOpenReply,
} from '../../wire/codec-transfer.js';
import {
  decodeRestoreOpen,
  decodeRestorePiece,
  decodeRestoreTake,
  encodeRestoreOpenReply,
  encodeRestorePieceReply,
  encodeRestoreTakeReply,
} from '../../wire/codec-restore.js';
import {
  ARCHIVE_RECORDS,
  ARCHIVE_STATE,
  nameOfKind,
  RESTORE_OPEN,
  RESTORE_PIECE,
  RESTORE_TAKE,
  TRANSFER_CHUNK,
  TRANSFER_CLOSE,
  TRANSFER_OPEN,
} from '../../wire/kinds.js';
import { isFault } from '../../wire/plain.js';
import type { Incoming } from '../incoming.js';
import type { BodyAsker } from '../peers/request.js';
import { replyBody, replyError } from '../replies.js';
import type { Session } from '../session.js';
import type { ArchivePasser } from './archive-passer.js';
import type { ArchiveMember } from './archive-member.js';
import type { ClusterParts } from './parts.js';
import type { RestoredFiles } from './restored-files.js';
import type { TransferDonor } from './transfer-donor.js';

type Answer = (body: Uint8Array | Failure) => void;
type ServedParts = Pick<ClusterParts, 'links' | 'timers' | 'self' | 'nameOf' | 'nowMs'>;

/** Copies are asked for by the frames that movers use. */
const SERVED: ReadonlySet<number> = new Set([
  ...[ARCHIVE_STATE, ARCHIVE_RECORDS, RESTORE_OPEN, RESTORE_PIECE, RESTORE_TAKE],
]);
const PASSED_ON: ReadonlySet<number> = new Set([...SERVED, TRANSFER_OPEN, TRANSFER_CHUNK, TRANSFER_CLOSE]);

export class ArchiveServer implements ArchivePasser {
  readonly #parts: ServedParts;
  readonly #member: ArchiveMember;
  readonly #donor: TransferDonor | null;
  readonly #restored: RestoredFiles | null;
  readonly #slices: Slices;

  constructor(
    parts: ServedParts,
    member: ArchiveMember,
    files: { readonly donor: TransferDonor; readonly restored: RestoredFiles } | null,
    slices: Slices,
  ) {
    this.#parts = parts;
    this.#member = member;
    this.#donor = files?.donor ?? null;
    this.#restored = files?.restored ?? null;
    this.#slices = slices;
  }

  /** False: the kind is none of these. */
  serve(session: Session, { kind, bytes, start, end, requestId, bodyBytes }: Incoming): boolean {
    if (!SERVED.has(kind)) return false;
    const fault = this.#do(kind, bytes, start, end, (reply) => {
      if (!session.closed) {
        if ('code' in reply) replyError(session, requestId, reply);
        else replyBody(session, kind + 1, requestId, reply);
      }
      session.finish(bodyBytes);
    });
    if (fault === '') return true;
    session.finish(bodyBytes);
    session.refuse(requestId, failure('PROTOCOL', `${nameOfKind(kind)} cannot be read: ${fault}`));
    return true;
  }

  passOn({ budgetMs, member, kind, body }: ArchiveAsk, answer: (reply: ArchiveAskReply | Failure) => void): void {
    if (!PASSED_ON.has(kind)) {
      return answer(failure('INVALID_ARGUMENT', `A ${nameOfKind(kind)} is not passed on`));
    }
    const told: Answer = (reply) => {
      answer('code' in reply ? reply : { kind: kind + 1, body: reply });
    };
    const kept = copyBytes(body);
    const go = (): void => {
      if (member === this.#parts.self) {
        const fault = this.#do(kind, kept, 0, kept.length, told);
        if (fault !== '') told(failure('INVALID_ARGUMENT', `${nameOfKind(kind)} cannot be read: ${fault}`));
      } else this.#ask(member, kind, kept, budgetMs, told);
    };
    const chunk = kind === TRANSFER_CHUNK ? decodeTransferChunk(kept, 0, kept.length) : null;
    if (chunk === null || isFault(chunk)) return go();
    const untilMs = this.#parts.nowMs() + budgetMs;
    this.#slices.ask('archive', chunk.length, () => {
      if (this.#parts.nowMs() < untilMs) go();
      else told(failure('TIMEOUT', 'Its turn has come too late: whoever asked has gone, or asks again'));
    });
  }

  #ask(member: number, kind: number, body: Uint8Array, budgetMs: number, told: Answer): void {
    const { links, nameOf } = this.#parts;
    const asker: BodyAsker = {
      onAnswered: (_from, _tag, bytes, start, end) => {
        told(copyBytes(bytes, start, end));
      },
      onRefused: (_from, _tag, refusal) => {
        told(refusal);
      },
      onUnanswered: (_from, _tag, why) => {
        const text = why === 'timeout' ? 'did not answer in time' : 'was lost before it answered';
        told(failure(why === 'timeout' ? 'TIMEOUT' : 'UNAVAILABLE', `${nameOf(member)} ${text}`));
      },
    };
    const build = links.get(member)?.build ?? null;
    if (build !== null && !canBeAsked(build, 'surveys')) {
      const text = `${nameOf(member)} has ${buildText(build)}, which knows nothing of archives: upgrade it first`;
      return told(failure('INVALID_ARGUMENT', text));
    }
    // Nothing of a put stands behind a piece of a file.
    const isAsked =
      kind === RESTORE_PIECE
        ? links.bulk(member)?.ask(kind, body, budgetMs, asker) === true
        : (links.get(member)?.ask(kind, body, budgetMs, asker, 0) ?? null) !== null;
    if (!isAsked) told(failure('UNAVAILABLE', `${nameOf(member)} cannot be reached from here`));
  }

  /** What is wrong with the body, or empty: then `answer` comes once. */
  #do(kind: number, bytes: Uint8Array, start: number, end: number, answer: Answer): string {
    const encoded =
      <T extends object>(encode: (reply: T) => Uint8Array): ((reply: T | Failure) => void) =>
      (reply) => {
        answer('code' in reply ? reply : encode(reply));
      };
    const read = <T extends object>(request: T | string, go: (request: T) => void): string => {
      if (typeof request === 'string') return request;
      go(request);
      return '';
    };
    const donor = this.#donor;
    const restored = this.#restored;
    switch (kind) {
      case ARCHIVE_STATE:
        return read(decodeArchiveState(bytes, start, end), (state) => {
          this.#member.state(state, encoded(encodeArchiveStateReply));
        });
      case ARCHIVE_RECORDS:
        return read(decodeArchiveRecords(bytes, start, end), (records) => {
          this.#member.records(records, encoded(encodeArchiveRecordsReply));
        });
      case RESTORE_OPEN:
        if (restored === null) break;
        return read(decodeRestoreOpen(bytes, start, end), (open) => {
          restored.open(open, encoded(encodeRestoreOpenReply));
        });
      case RESTORE_PIECE:
        if (restored === null) break;
        return read(decodeRestorePiece(bytes, start, end), (piece) => {
          restored.piece(piece, encoded(encodeRestorePieceReply));
        });
      case RESTORE_TAKE:
        if (restored === null) break;
        return read(decodeRestoreTake(bytes, start, end), (take) => {
          restored.take(take, encoded(encodeRestoreTakeReply));
        });
      case TRANSFER_OPEN:
        if (donor === null) break;
        return read(decodeTransferOpen(bytes, start, end), (open) => {
          donor.open(open, encoded(encodeTransferOpenReply));
        });
      case TRANSFER_CHUNK:
        if (donor === null) break;
        return read(decodeTransferChunk(bytes, start, end), (chunk) => {
          donor.chunk(
            chunk,
            encoded((piece: Uint8Array) => encodeTransferChunkReply({ bytes: piece })),
          );
        });
      case TRANSFER_CLOSE:
        if (donor === null) break;
        return read(decodeTransferClose(bytes, start, end), (close) => {
          donor.close(close);
          answer(encodeTransferCloseReply());
        });
    }
    answer(NO_FILES);
    return '';
  }
}

const NO_FILES = failure('INVALID_ARGUMENT', 'Partitions are not in files here');
