/* What nodes say to each other to move a partition's file: by protobufjs, but for the pieces, which are too large to be copied twice. */
import {
  CHUNKS_MAX,
  PIECE_BYTES_MAX,
  type TransferChunk,
  type TransferChunkReply,
  type TransferClose,
  type TransferOpen,
  type TransferOpenReply,
} from '../model/transfer-messages.js';
import { decodeHash, encodeHashes, HASH_BYTES } from './hashes.js';
import { bad, count53, decodeBy, partitionIn } from './plain.js';
import { bytesFieldSize, writeLength } from './varint.js';
import { partita } from './protobuf.js';
import type { DecodeFault } from './requests.js';

const v1 = partita.v1;
/** Number of the field. */
const CHUNK_REPLY_BYTES = 1;
const NOTHING = new Uint8Array(0);
const NO_ROOT = { hi: 0, lo: 0 };

export function encodeTransferOpen(open: TransferOpen): Uint8Array {
  return v1.TransferOpen.encode(open).finish();
}

export function decodeTransferOpen(bytes: Uint8Array, start: number, end: number): TransferOpen | DecodeFault {
  return decodeBy(v1.TransferOpen, bytes, start, end, (open) => ({
    partition: partitionIn(open.partition),
    budgetMs: open.budgetMs,
    moveId: count53(open.moveId),
    fence: count53(open.fence),
  }));
}

export function encodeTransferOpenReply(reply: TransferOpenReply): Uint8Array {
  return v1.TransferOpenReply.encode(offerOut(reply)).finish();
}

/** As a message has it. */
export function offerOut(reply: TransferOpenReply): partita.v1.ITransferOpenReply {
  const { ready, rootHi: hi, rootLo: lo } = reply;
  return { ...reply, root: ready ? encodeHashes([{ hi, lo }]) : NOTHING };
}

export function decodeTransferOpenReply(
  bytes: Uint8Array,
  start: number,
  end: number,
): TransferOpenReply | DecodeFault {
  return decodeBy(v1.TransferOpenReply, bytes, start, end, offerIn);
}

/** Also where it is a part of another message. Throws as `bad` does. */
export function offerIn(reply: partita.v1.TransferOpenReply): TransferOpenReply {
  const { ready, chunkBytes, digests, digest, root } = reply;
  const size = count53(reply.bytes);
  if (ready) {
    const chunks = chunkBytes === 0 ? 0 : Math.ceil(size / chunkBytes);
    if (chunks === 0 || chunks > CHUNKS_MAX) bad(`${size} bytes in chunks of ${chunkBytes}`);
    if (digests.length !== HASH_BYTES * chunks) bad(`${digests.length} bytes of digests for ${chunks} chunks`);
    if (digest.length !== HASH_BYTES) bad(`A digest of ${digest.length} bytes instead of ${HASH_BYTES}`);
  } else if (digests.length + digest.length + root.length > 0) bad('Digests of a copy that is not ready');
  const { hi: rootHi, lo: rootLo } = ready ? decodeHash(root, 'root') : NO_ROOT;
  return {
    ready,
    opening: count53(reply.opening),
    fence: count53(reply.fence),
    bytes: size,
    chunkBytes,
    digests,
    digest,
    rootHi,
    rootLo,
    records: count53(reply.records),
  };
}

export function encodeTransferChunk(chunk: TransferChunk): Uint8Array {
  return v1.TransferChunk.encode(chunk).finish();
}

export function decodeTransferChunk(bytes: Uint8Array, start: number, end: number): TransferChunk | DecodeFault {
  return decodeBy(v1.TransferChunk, bytes, start, end, (chunk) => {
    const { length } = chunk;
    if (length === 0 || length > PIECE_BYTES_MAX) bad(`${length} bytes at once, 1 to ${PIECE_BYTES_MAX} are served`);
    return {
      partition: partitionIn(chunk.partition),
      budgetMs: chunk.budgetMs,
      moveId: count53(chunk.moveId),
      opening: count53(chunk.opening),
      offset: count53(chunk.offset),
      length,
    };
  });
}

export function encodeTransferChunkReply({ bytes }: TransferChunkReply): Uint8Array {
  return new Uint8Array(Buffer.concat([transferChunkReplyHead(bytes.length), bytes]));
}

/** What comes before the bytes of a TransferChunkReply, which are the end of it: so they are copied once. */
export function transferChunkReplyHead(bytes: number): Uint8Array {
  const head = new Uint8Array(bytesFieldSize(bytes) - bytes);
  if (bytes > 0) writeLength(head, 0, CHUNK_REPLY_BYTES, bytes);
  return head;
}

export function decodeTransferChunkReply(
  bytes: Uint8Array,
  start: number,
  end: number,
): TransferChunkReply | DecodeFault {
  return decodeBy(v1.TransferChunkReply, bytes, start, end, (reply) => {
    if (reply.bytes.length > PIECE_BYTES_MAX) bad(`${reply.bytes.length} bytes at once`);
    return { bytes: reply.bytes };
  });
}

export function encodeTransferClose(close: TransferClose): Uint8Array {
  return v1.TransferClose.encode(close).finish();
}

export function decodeTransferClose(bytes: Uint8Array, start: number, end: number): TransferClose | DecodeFault {
  return decodeBy(v1.TransferClose, bytes, start, end, (close) => ({
    partition: partitionIn(close.partition),
    budgetMs: close.budgetMs,
    moveId: count53(close.moveId),
  }));
}

export function encodeTransferCloseReply(): Uint8Array {
  return v1.TransferCloseReply.encode({}).finish();
}

export function decodeTransferCloseReply(bytes: Uint8Array, start: number, end: number): object | DecodeFault {
  return decodeBy(v1.TransferCloseReply, bytes, start, end, () => ({}));
}
