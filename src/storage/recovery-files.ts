/*
 * The log folder at start-up: which segments there are, and, once recovery has judged them, which names have to go
 * before anything new is written.
 */
import type { Disk, DiskFile } from '../env/disk.js';
import { type Flow, wait } from '../lib/flow.js';
import { newerFormatText } from '../model/build.js';
import type { Hash64 } from '../model/hash.js';
import { decodeSegmentHeader, LOG_FORMAT, SEGMENT_HEADER_BYTES, type SegmentHeader } from './log-format.js';
import { LOG_FOLDER, parseSegmentName, type SpareSegment } from './log-segments.js';

/** The log is not ours to read, or not by this version: nothing was changed. */
export class LogRefusedError extends Error {
  readonly code = 'LOG_REFUSED';
}

export interface SegmentFile {
  readonly path: string;
  readonly sequence: number;
  /** Of the file, whatever its header says. */
  readonly size: number;
  /** null: unreadable. */
  readonly header: SegmentHeader | null;
  /** The header is that of a prepared segment, though later ones were used. */
  readonly unwritten?: boolean;
}

const REWRITE_BYTES = 1_048_576;

export interface LogFolder {
  /** `.seg` files in the order of their sequences. */
  readonly segments: readonly SegmentFile[];
  readonly spares: readonly SpareSegment[];
  /** Half-made files. */
  readonly leftovers: readonly string[];
  /** Highest sequence in any name; 0: none. */
  readonly lastSequence: number;
}

export function* readLogFolder(disk: Disk, hash: Hash64, nodeId: string, opening: number): Flow<LogFolder> {
  const names = yield* wait<readonly string[]>((done) => {
    disk.list(LOG_FOLDER, done);
  });
  const segments: SegmentFile[] = [];
  const spares: SpareSegment[] = [];
  const leftovers: string[] = [];
  let lastSequence = 0;
  for (const name of names) {
    const parsed = parseSegmentName(name);
    if (parsed === null) continue;
    const path = `${LOG_FOLDER}/${name}`;
    lastSequence = Math.max(lastSequence, parsed.sequence);
    if (parsed.suffix === 'tmp') {
      leftovers.push(path);
      continue;
    }
    const { size, header } = yield* readHeader(disk, hash, path);
    if (parsed.suffix === 'spare') {
      spares.push({ path, bytes: size });
      continue;
    }
    if (header !== null) refuseForeign(header, path, nodeId, opening);
    const ours = header !== null && header.sequence === parsed.sequence;
    segments.push({ path, sequence: parsed.sequence, size, header: ours ? header : null });
  }
  segments.sort((a, b) => a.sequence - b.sequence);
  return { segments, spares, leftovers, lastSequence };
}

function* readHeader(disk: Disk, hash: Hash64, path: string): Flow<{ size: number; header: SegmentHeader | null }> {
  const file = yield* wait<DiskFile>((done) => {
    disk.open(path, 'read', done);
  });
  const size = yield* wait<number>((done) => {
    file.size(done);
  });
  const bytes = yield* wait<Uint8Array>((done) => {
    file.read(0, SEGMENT_HEADER_BYTES, done);
  });
  yield* wait((done) => {
    file.close(done);
  });
  return { size, header: decodeSegmentHeader(hash, bytes) };
}

function refuseForeign(header: SegmentHeader, path: string, nodeId: string, opening: number): void {
  if (header.format !== LOG_FORMAT) {
    throw new LogRefusedError(newerFormatText(path, header.format, LOG_FORMAT));
  }
  if (header.nodeId !== nodeId) {
    throw new LogRefusedError(
      `${path} belongs to node ${header.nodeId}, this directory to node ${nodeId}: two data directories were mixed; put each node's files back where they were`,
    );
  }
  if (header.opening > opening) {
    throw new LogRefusedError(
      `${path} was written in opening ${header.opening}, but node.meta knows only ${opening}: node.meta is older than the log; restore the whole directory from one copy`,
    );
  }
}

/**
 * Takes the names of segments that hold nothing needed out of the log, the highest first and each durably: after a
 * crash half-way no segment seems to be missing, and no ignored one comes back behind what is written next.
 */
export function* retireSegments(disk: Disk, segments: readonly SegmentFile[]): Flow<readonly SpareSegment[]> {
  const spares: SpareSegment[] = [];
  for (const segment of [...segments].sort((a, b) => b.sequence - a.sequence)) {
    const path = segment.path.replace(/\.seg$/, '.spare');
    yield* wait((done) => {
      disk.rename(segment.path, path, done);
    });
    yield* syncLogFolder(disk);
    spares.push({ path, bytes: segment.size });
  }
  return spares;
}

export function* removeFiles(disk: Disk, paths: readonly string[]): Flow<void> {
  for (const path of paths) {
    yield* wait((done) => {
      disk.remove(path, done);
    });
  }
  if (paths.length > 0) yield* syncLogFolder(disk);
}

/** Makes [from, end) of a segment durable, whatever the kernel believes of its pages. */
export function* rewriteSegment(disk: Disk, path: string, from: number, end: number): Flow<void> {
  const file = yield* wait<DiskFile>((done) => {
    disk.open(path, 'write', done);
  });
  for (let offset = from; offset < end; offset += REWRITE_BYTES) {
    const bytes = yield* wait<Uint8Array>((done) => {
      file.read(offset, Math.min(REWRITE_BYTES, end - offset), done);
    });
    yield* wait((done) => {
      file.write(offset, [bytes], done);
    });
  }
  yield* wait((done) => {
    file.sync(done);
  });
  yield* wait((done) => {
    file.close(done);
  });
}

/**
 * Leaves out the segments that were only prepared. One that is followed by a used one of the same opening was written,
 * but its header did not arrive: nothing in it was synced, or it is damaged.
 */
export function writtenSegments(segments: readonly SegmentFile[]): readonly SegmentFile[] {
  const written: SegmentFile[] = [];
  let usedFrom = Infinity; // first sequence of the opening of the next used segment
  for (const segment of [...segments].reverse()) {
    const { header } = segment;
    if (header?.state === 'used') usedFrom = header.openingSequence;
    if (header?.state !== 'prepared') written.unshift(segment);
    else if (segment.sequence >= usedFrom) written.unshift({ ...segment, header: null, unwritten: true });
  }
  return written;
}

export function* makeLogFolder(disk: Disk): Flow<void> {
  yield* wait((done) => {
    disk.makeFolder(LOG_FOLDER, done);
  });
  yield* wait((done) => {
    disk.syncFolder('', done);
  });
}

function* syncLogFolder(disk: Disk): Flow<void> {
  yield* wait((done) => {
    disk.syncFolder(LOG_FOLDER, done);
  });
}
