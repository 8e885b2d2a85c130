/* The frames by which members fetch files of partitions from this one: transfer-donor.ts does what they ask for. */
import { failure, type Failure } from '../../model/errors.js';
import {
  decodeTransferChunk,
  decodeTransferClose,
  decodeTransferOpen,
  encodeTransferCloseReply,
  encodeTransferOpenReply,
  transferChunkReplyHead,
} from '../../wire/codec-transfer.js';
import {
  nameOfKind,
  TRANSFER_CHUNK,
  TRANSFER_CHUNK_REPLY,
  TRANSFER_CLOSE,
  TRANSFER_CLOSE_REPLY,
  TRANSFER_OPEN,
  TRANSFER_OPEN_REPLY,
} from '../../wire/kinds.js';
import { isFault } from '../../wire/plain.js';
import type { Incoming } from '../incoming.js';
import { replyBody, replyError, replyTailed } from '../replies.js';
import type { Session } from '../session.js';
import type { TransferDonor } from './transfer-donor.js';

export class TransferServer {
  readonly #donor: TransferDonor;

  constructor(donor: TransferDonor) {
    this.#donor = donor;
  }

  /** False: the kind is none of these. */
  serve(session: Session, frame: Incoming): boolean {
    const { kind, bytes, start, end } = frame;
    switch (kind) {
      case TRANSFER_OPEN: {
        const open = decodeTransferOpen(bytes, start, end);
        if (isFault(open)) return malformed(session, frame, open);
        const answer = answerer(session, frame, TRANSFER_OPEN_REPLY, encodeTransferOpenReply);
        this.#donor.open(open, answer, askerOf(session));
        return true;
      }
      case TRANSFER_CHUNK: {
        const chunk = decodeTransferChunk(bytes, start, end);
        if (isFault(chunk)) return malformed(session, frame, chunk);
        const { requestId, bodyBytes } = frame;
        this.#donor.chunk(chunk, (piece) => {
          if ('code' in piece) replyError(session, requestId, piece);
          else replyTailed(session, TRANSFER_CHUNK_REPLY, requestId, transferChunkReplyHead(piece.length), piece);
          session.finish(bodyBytes);
        });
        return true;
      }
      case TRANSFER_CLOSE: {
        const close = decodeTransferClose(bytes, start, end);
        if (isFault(close)) return malformed(session, frame, close);
        this.#donor.close(close, askerOf(session));
        answerer(session, frame, TRANSFER_CLOSE_REPLY, encodeTransferCloseReply)(close);
        return true;
      }
      default:
        return false;
    }
  }
}

const askerOf = ({ acceptance }: Session): number => acceptance?.member?.ordinal ?? 0;

/** Answers the frame, now or later. */
function answerer<T extends object>(
  session: Session,
  { requestId, bodyBytes }: Incoming,
  kind: number,
  encode: (reply: T) => Uint8Array,
): (reply: T | Failure) => void {
  return (reply) => {
    if (!session.closed) {
      if ('code' in reply) replyError(session, requestId, reply);
      else replyBody(session, kind, requestId, encode(reply));
    }
    session.finish(bodyBytes);
  };
}

function malformed(session: Session, { requestId, bodyBytes, kind }: Incoming, fault: string): true {
  session.finish(bodyBytes);
  session.refuse(requestId, failure('PROTOCOL', `${nameOfKind(kind)} cannot be read: ${fault}`));
  return true;
}
