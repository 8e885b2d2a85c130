/* The file of an archive on its way to an owner: by protobufjs both ways. */
import { CHUNKS_MAX, PIECE_BYTES_MAX } from '../model/transfer-messages.js';
import { PARTITIONS_MAX } from '../model/limits.js';
import type {
  RestoreOpen,
  RestoreOpenReply,
  RestorePiece,
  RestoreTake,
  RestoreTakeReply,
} from '../model/restore-messages.js';
import { offerIn, offerOut } from './codec-transfer.js';
import { bad, count53, decodeBy } from './plain.js';
import { partita } from './protobuf.js';
import type { DecodeFault } from './requests.js';

const v1 = partita.v1;

export function encodeRestoreOpen(open: RestoreOpen): Uint8Array {
  return v1.RestoreOpen.encode({ ...open, file: offerOut(open.file) }).finish();
}

export function decodeRestoreOpen(bytes: Uint8Array, start: number, end: number): RestoreOpen | DecodeFault {
  return decodeBy(v1.RestoreOpen, bytes, start, end, ({ partition, budgetMs, restoreId, clusterId, file }) => {
    const offer = file == null ? bad('It says nothing of the file') : offerIn(new v1.TransferOpenReply(file));
    if (!offer.ready) bad('A file that is not there yet');
    return {
      partition: partitionIn(partition),
      budgetMs,
      restoreId: count53(restoreId),
      clusterId,
      file: offer,
    };
  });
}

export function encodeRestoreOpenReply(reply: RestoreOpenReply): Uint8Array {
  return v1.RestoreOpenReply.encode(reply).finish();
}

export function decodeRestoreOpenReply(bytes: Uint8Array, start: number, end: number): RestoreOpenReply | DecodeFault {
  return decodeBy(v1.RestoreOpenReply, bytes, start, end, ({ chunks, pieceBytes }) => {
    if (chunks.length > CHUNKS_MAX) bad(`${chunks.length} chunks`);
    if (pieceBytes === 0 || pieceBytes > PIECE_BYTES_MAX) bad(`Pieces of ${pieceBytes} bytes`);
    return { chunks, pieceBytes };
  });
}

export function encodeRestorePiece(piece: RestorePiece): Uint8Array {
  return v1.RestorePiece.encode(piece).finish();
}

/** The bytes are a view of `bytes`. */
export function decodeRestorePiece(bytes: Uint8Array, start: number, end: number): RestorePiece | DecodeFault {
  return decodeBy(v1.RestorePiece, bytes, start, end, (piece) => {
    const { length } = piece.bytes;
    if (length === 0 || length > PIECE_BYTES_MAX) bad(`${length} bytes at once, 1 to ${PIECE_BYTES_MAX} are taken`);
    return {
      partition: partitionIn(piece.partition),
      budgetMs: piece.budgetMs,
      restoreId: count53(piece.restoreId),
      offset: count53(piece.offset),
      bytes: piece.bytes,
    };
  });
}

export function encodeRestorePieceReply(): Uint8Array {
  return v1.RestorePieceReply.encode({}).finish();
}

export function decodeRestorePieceReply(bytes: Uint8Array, start: number, end: number): object | DecodeFault {
  return decodeBy(v1.RestorePieceReply, bytes, start, end, () => ({}));
}

export function encodeRestoreTake(take: RestoreTake): Uint8Array {
  return v1.RestoreTake.encode(take).finish();
}

export function decodeRestoreTake(bytes: Uint8Array, start: number, end: number): RestoreTake | DecodeFault {
  return decodeBy(v1.RestoreTake, bytes, start, end, (take) => ({
    partition: partitionIn(take.partition),
    budgetMs: take.budgetMs,
    restoreId: count53(take.restoreId),
  }));
}

export function encodeRestoreTakeReply(reply: RestoreTakeReply): Uint8Array {
  return v1.RestoreTakeReply.encode(reply).finish();
}

export function decodeRestoreTakeReply(bytes: Uint8Array, start: number, end: number): RestoreTakeReply | DecodeFault {
  return decodeBy(v1.RestoreTakeReply, bytes, start, end, ({ ready }) => ({ ready }));
}

function partitionIn(partition: number): number {
  return partition < PARTITIONS_MAX ? partition : bad(`There is no partition ${partition}`);
}
