/* What an archive, or a restore, asks a node and through it all members: by protobufjs both ways. */
import {
  ARCHIVE_RECORDS_MAX,
  type ArchiveAsk,
  type ArchiveAskReply,
  type ArchiveRecords,
  type ArchiveRecordsReply,
  type ArchiveState,
  type ArchiveStateReply,
} from '../model/archive-messages.js';
import { decodeHash, encodeHashes } from './hashes.js';
import { bad, count53, decodeBy, limited, partitionIn } from './plain.js';
import { partita } from './protobuf.js';
import type { DecodeFault } from './requests.js';

const v1 = partita.v1;
/** No partition has as many owners. */
const OWNERS_MAX = 256;

export function encodeArchive(ask: ArchiveAsk): Uint8Array {
  return v1.Archive.encode(ask).finish();
}

export function decodeArchive(bytes: Uint8Array, start: number, end: number): ArchiveAsk | DecodeFault {
  return decodeBy(v1.Archive, bytes, start, end, ({ budgetMs, member, kind, body }) => {
    if (kind > 0xff) bad(`There is no kind ${kind}`);
    return { budgetMs, member, kind, body };
  });
}

export function encodeArchiveReply(reply: ArchiveAskReply): Uint8Array {
  return v1.ArchiveReply.encode(reply).finish();
}

export function decodeArchiveReply(bytes: Uint8Array, start: number, end: number): ArchiveAskReply | DecodeFault {
  return decodeBy(v1.ArchiveReply, bytes, start, end, ({ kind, body }) => ({ kind, body }));
}

export function encodeArchiveState(state: ArchiveState): Uint8Array {
  return v1.ArchiveState.encode(state).finish();
}

export function decodeArchiveState(bytes: Uint8Array, start: number, end: number): ArchiveState | DecodeFault {
  return decodeBy(v1.ArchiveState, bytes, start, end, ({ partition, budgetMs, meets, begunMsAgo }) => ({
    partition: partitionIn(partition),
    budgetMs,
    meets,
    begunMsAgo: count53(begunMsAgo),
  }));
}

export function encodeArchiveStateReply(reply: ArchiveStateReply): Uint8Array {
  const { rootHi: hi, rootLo: lo, isOwner: owner, isSuspect: suspect, takesFile } = reply;
  return v1.ArchiveStateReply.encode({
    ...reply,
    owner,
    suspect,
    root: encodeHashes([{ hi, lo }]),
    met: [...reply.met],
    unmet: [...reply.unmet],
    ...(takesFile ? { takesFile } : {}),
  }).finish();
}

export function decodeArchiveStateReply(
  bytes: Uint8Array,
  start: number,
  end: number,
): ArchiveStateReply | DecodeFault {
  return decodeBy(v1.ArchiveStateReply, bytes, start, end, (reply) => {
    const { ringVersion, owner, suspect, latencyUs } = reply;
    const { hi: rootHi, lo: rootLo } = decodeHash(reply.root, 'root');
    return {
      ringVersion,
      opening: count53(reply.opening),
      isOwner: owner,
      isSuspect: suspect,
      records: count53(reply.records),
      rootHi,
      rootLo,
      fence: count53(reply.fence),
      trimmedAt: count53(reply.trimmedAt),
      writtenLsn: count53(reply.writtenLsn),
      flushedLsn: count53(reply.flushedLsn),
      met: limited(reply.met, OWNERS_MAX, 'owners'),
      unmet: limited(reply.unmet, OWNERS_MAX, 'owners'),
      latencyUs,
      takesFile: reply.takesFile,
    };
  });
}

export function encodeArchiveRecords(records: ArchiveRecords): Uint8Array {
  const { budgetMs, partition, compares, fence } = records;
  const stamp = fence > 0 ? { fence } : {};
  return v1.ArchiveRecords.encode({ budgetMs, partition, compares, records: [...records.records], ...stamp }).finish();
}

/** The records are views of `bytes`. */
export function decodeArchiveRecords(bytes: Uint8Array, start: number, end: number): ArchiveRecords | DecodeFault {
  return decodeBy(v1.ArchiveRecords, bytes, start, end, ({ partition, budgetMs, compares, records, fence }) => ({
    partition: partitionIn(partition),
    budgetMs,
    compares,
    fence: count53(fence),
    records: limited(records, ARCHIVE_RECORDS_MAX, 'records'),
  }));
}

export function encodeArchiveRecordsReply(reply: ArchiveRecordsReply): Uint8Array {
  return v1.ArchiveRecordsReply.encode(reply).finish();
}

export function decodeArchiveRecordsReply(
  bytes: Uint8Array,
  start: number,
  end: number,
): ArchiveRecordsReply | DecodeFault {
  return decodeBy(v1.ArchiveRecordsReply, bytes, start, end, ({ known, absent, different, reaped, unknown }) => ({
    known,
    absent,
    different,
    reaped,
    unknown,
  }));
}
