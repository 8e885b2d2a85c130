/*
 * Reads the log back after a stop of any kind.
 *
 * Segments are followed by sequence, batches by LSN: what counts is a batch with the expected sequence, offset, LSN and
 * checksums. Where the next one is missing, D decides, the highest LSN that any valid batch header, or node.meta, calls
 * durable:
 *
 *   LSN above D          a torn tail: it was never acknowledged as durable. Cut; nothing behind it counts, however
 *                        whole it looks, since the sectors of an unsynced write arrive in any order.
 *   LSN at or below D    damage: acknowledged entries are gone from this log. Reported, and the search goes on, sector
 *                        by sector, for the next batch whose LSN is at most D + 1.
 *
 * D is only needed at the first gap, so the log is read once, plus once more from there on.
 *
 * A segment ends where the next one's header says that the log before it ended. So what an earlier recovery cut stays
 * cut: the bytes behind may be whole batches, and their LSNs were skipped when that opening began.
 *
 * After replay, and before anybody is served: segments behind the cut lose their names, prepared ones too (a sequence
 * is never used twice, not even one under which nothing was written), and entries above D are synced. Each step may be
 * interrupted: the next recovery finds the same log. With `readOnly` nothing is changed, for offline checks.
 *
 * What this cannot tell: a tail that was acknowledged less than a moment ago and damaged before any later batch named
 * it looks like a torn one, and is reported as a cut of so many bytes.
 */
import type { Disk } from '../env/disk.js';
import type { Flow } from '../lib/flow.js';
import type { Hash64 } from '../model/hash.js';
import type { Lsn } from '../model/ids.js';
import { type LogSalt, SECTOR_BYTES, SEGMENT_HEADER_BYTES } from './log-format.js';
import type { LogRecovery, ReplayVisitor } from './log-types.js';
import type { LogStart } from './log-options.js';
import { Findings } from './recovery-findings.js';
import {
  type LogFolder,
  makeLogFolder,
  readLogFolder,
  removeFiles,
  retireSegments,
  type SegmentFile,
  writtenSegments,
} from './recovery-files.js';
import { SegmentReader } from './recovery-reader.js';
import { Trail } from './recovery-trail.js';

/**
 * After an unclean stop so many LSNs are left out, once for every opening since the last one that the log knows of:
 * entries may have been given numbers, and in `interval` may even have reached a partition file, without having reached
 * the log. More than can be appended between two syncs, and small enough for 33 million openings.
 */
export const LSNS_LEFT_OUT = 268_435_456;

export interface RecoverLogOptions {
  readonly disk: Disk;
  readonly hash: Hash64;
  readonly nodeId: string;
  /** The present opening, from 1; no segment may be of a later one. */
  readonly opening: number;
  readonly salt: LogSalt;
  /** What node.meta says: the last LSN of a clean stop, or of some time before an unclean one. */
  readonly durableLsn: number;
  /** node.meta has the clean mark. */
  readonly clean: boolean;
  /** Change nothing on the disk. */
  readonly readOnly?: boolean;
}

export interface RecoveredLog extends LogRecovery {
  readonly start: LogStart;
}

/** Where the chain of batches broke. */
interface Gap {
  readonly offset: number;
  /** The expected batch stands there, but only its header holds. */
  readonly damaged: { readonly firstLsn: number; readonly count: number; readonly length: number } | null;
  readonly searchFrom: number;
  /** LSNs above it were cut by an earlier recovery. */
  readonly limit: number;
}

export function* recoverLog(options: RecoverLogOptions, visitor: ReplayVisitor): Flow<RecoveredLog> {
  if (options.readOnly !== true) yield* makeLogFolder(options.disk);
  const folder = yield* readLogFolder(options.disk, options.hash, options.nodeId, options.opening);
  const replay = new Replay(options, folder, visitor);
  yield* replay.run();
  return yield* replay.finish();
}

class Replay {
  readonly #options: RecoverLogOptions;
  readonly #folder: LogFolder;
  readonly #visitor: ReplayVisitor;
  /** Everything but what is known to be unwritten. */
  readonly #segments: readonly SegmentFile[];

  /** LSN of the next entry; 0: not known, the first segment's header is unreadable. */
  #expected = 0;
  #durableLsn: number;
  /** D covers the whole log: what comes behind the first gap has been looked at. */
  #lookedAhead = false;
  #oldestNamed = 0;
  /** Of the last batch that counts. */
  #lastOpening = 0;
  /** A gap at the end of a segment, while the next one has no readable header. */
  #unresolved: { readonly segment: number; readonly offset: number } | null = null;
  #stopped: { readonly segment: number; readonly offset: number } | null = null;
  #entries = 0;
  #bytes = 0;
  readonly #findings: Findings = new Findings();
  readonly #trail: Trail = new Trail();

  constructor(options: RecoverLogOptions, folder: LogFolder, visitor: ReplayVisitor) {
    this.#options = options;
    this.#folder = folder;
    this.#visitor = visitor;
    this.#segments = writtenSegments(folder.segments);
    this.#durableLsn = options.durableLsn;
  }

  *run(): Flow<void> {
    for (const { header } of this.#segments) {
      // The first segment of an opening is written after what came before it was synced.
      if (header !== null && header.sequence === header.openingSequence) this.#seenDurable(header.previousLsn);
    }
    for (let index = 0; index < this.#segments.length && this.#stopped === null; index++) yield* this.#segment(index);
    if (this.#unresolved !== null) {
      const { segment, offset } = this.#unresolved;
      this.#findings.lost(null);
      this.#findings.missingEntries(segment, offset, this.#expected, this.#durableLsn);
    }
    this.#findings.missingSegments(this.#folder, this.#oldestNamed, this.#durableLsn);
    if (this.#stopped !== null) this.#findings.shortSegments(this.#segments, this.#stopped.segment);
  }

  // ── one segment ─────────────────────────────────────────────────────────────────────────────────────────────────

  *#segment(index: number): Flow<void> {
    const segment = this.#segments[index] as SegmentFile;
    const reader = yield* SegmentReader.open(this.#options.disk, this.#options.hash, this.#options.salt, segment);
    const before = this.#expected;
    this.#enter(segment);
    if (this.#stopped === null) yield* this.#batches(index, reader);
    yield* reader.close();
    const stopped = this.#stopped;
    if (stopped !== null && stopped.segment === segment.sequence && stopped.offset <= SEGMENT_HEADER_BYTES) {
      this.#expected = before; // nothing of it counts; LSNs that its opening left out were left out for nothing
      return;
    }
    this.#trail.keep(segment, Math.max(0, this.#expected - 1));
  }

  #enter(segment: SegmentFile): void {
    this.#trail.enter(segment);
    const { header } = segment;
    if (header === null) {
      if (segment.unwritten !== true)
        this.#findings.report(segment.sequence, 0, 'The header of the segment is unreadable');
      return;
    }
    const gap = this.#expected !== 0 && this.#expected <= header.previousLsn;
    if (gap && header.previousLsn > this.#durableLsn) this.#stop(segment.sequence, 0, segment.size);
    else this.#expected = Math.max(this.#expected, header.firstLsn); // a gap before it has been judged
  }

  /** Replays the batches of a segment; leaves `#expected` at what the next one has to begin with. */
  *#batches(index: number, reader: SegmentReader): Flow<void> {
    const limit = this.#endOf(index);
    let offset = SEGMENT_HEADER_BYTES;
    // One beyond the limit: batches without entries may stand there, and what they say counts.
    while (this.#expected === 0 || this.#expected <= limit + 1) {
      const state = yield* reader.at(offset);
      const { header } = reader;
      const inPlace = state !== 'none' && (this.#expected === 0 || header.firstLsn === this.#expected);
      if (inPlace && state === 'whole' && header.firstLsn + header.count - 1 <= limit) {
        this.#expected = header.firstLsn + header.count;
        this.#accept(reader, offset);
        offset += header.length;
        continue;
      }
      if (this.#expected > limit) return;
      const damaged =
        inPlace && state === 'header-only'
          ? { firstLsn: header.firstLsn, count: header.count, length: header.length }
          : null;
      const searchFrom = state === 'none' || inPlace ? offset + SECTOR_BYTES : offset;
      const next = yield* this.#gap(index, reader, { offset, damaged, searchFrom, limit });
      if (next === null) return;
      offset = next;
    }
  }

  /** The LSN at which the log before the next readable segment ends: batches above it were cut by an earlier recovery. */
  #endOf(index: number): number {
    const next = this.#segments[index + 1];
    return next === undefined || next.header === null ? Infinity : next.header.previousLsn;
  }

  #accept(reader: SegmentReader, offset: number): void {
    this.#seen(reader);
    this.#unresolved = null;
    this.#lastOpening = reader.header.opening;
    this.#entries += reader.header.count;
    this.#trail.accept(offset, reader.header.firstLsn + reader.header.count - 1, offset + reader.header.length);
    this.#bytes += reader.header.length;
    reader.visit(offset, this.#visitor);
  }

  // ── gaps ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** No whole batch with the expected LSN at `offset`. Where to go on; null: not in this segment. */
  *#gap(index: number, reader: SegmentReader, gap: Gap): Flow<number | null> {
    const { offset, damaged } = gap;
    const traceBytes = yield* this.#lookAhead(index, reader, offset);
    if (this.#expected === 0) {
      // A sync that covered anything in a segment covered its header.
      const torn = this.#segments[index]?.unwritten === true && gap.limit > this.#durableLsn;
      if (torn) this.#stop(reader.sequence, offset, traceBytes);
      return torn ? null : yield* this.#findFirst(reader, offset);
    }
    if (this.#expected > this.#durableLsn) {
      const at = yield* this.#behindEmpty(reader, gap);
      if (at === null) this.#stop(reader.sequence, offset, traceBytes);
      return at;
    }
    if (damaged !== null) {
      const { firstLsn, count, length } = damaged;
      this.#findings.lost(yield* reader.partitionsOf(offset, offset + length, firstLsn, count));
      this.#findings.report(reader.sequence, offset, `${count} entries from LSN ${firstLsn} on are damaged`);
      this.#expected = firstLsn + count;
      return offset + length;
    }
    return yield* this.#search(index, reader, gap);
  }

  /**
   * A whole batch with the very LSN that is expected, a little further on: only a batch without entries is torn, or
   * damaged, and nobody misses it.
   */
  *#behindEmpty(reader: SegmentReader, gap: Gap): Flow<number | null> {
    if (this.#expected > gap.limit) return null;
    for (
      let at = yield* reader.skipZeros(gap.searchFrom);
      at < reader.size;
      at = yield* reader.skipZeros(at + SECTOR_BYTES)
    ) {
      if ((yield* reader.at(at)) !== 'whole' || reader.header.firstLsn !== this.#expected) continue;
      return at;
    }
    return null;
  }

  /** The next batch header in this segment that damage can have left behind. */
  *#search(index: number, reader: SegmentReader, gap: Gap): Flow<number | null> {
    const { offset, limit } = gap;
    for (
      let at = yield* reader.skipZeros(gap.searchFrom);
      at < reader.size;
      at = yield* reader.skipZeros(at + SECTOR_BYTES)
    ) {
      if ((yield* reader.at(at)) === 'none') continue;
      const found = reader.header.firstLsn;
      if (found < this.#expected || found > this.#durableLsn + 1 || found > limit + 1) continue;
      const lost = found - this.#expected;
      this.#findings.lost(yield* reader.partitionsOf(offset, at, this.#expected, lost));
      this.#findings.report(
        reader.sequence,
        offset,
        `${lost} entries from LSN ${this.#expected} on are missing, up to offset ${at}`,
      );
      this.#expected = found;
      return at;
    }
    return yield* this.#nothingFollows(index, reader, gap);
  }

  *#nothingFollows(index: number, reader: SegmentReader, gap: Gap): Flow<null> {
    const next = this.#segments[index + 1];
    if (next?.header === null) {
      this.#unresolved ??= { segment: reader.sequence, offset: gap.offset }; // its batches may go on right here
      return null;
    }
    this.#unresolved = null;
    const end = Math.min(gap.limit, this.#durableLsn);
    this.#findings.lost(yield* reader.partitionsFrom(gap.offset, this.#expected, end - this.#expected + 1));
    this.#findings.missingEntries(reader.sequence, gap.offset, this.#expected, end);
    return null;
  }

  /** The oldest segment has no readable header: nobody can say what stood before its first readable batch. */
  *#findFirst(reader: SegmentReader, from: number): Flow<number | null> {
    this.#findings.lost(null);
    for (let at = yield* reader.skipZeros(from); at < reader.size; at = yield* reader.skipZeros(at + SECTOR_BYTES)) {
      if ((yield* reader.at(at)) === 'none') continue;
      this.#expected = reader.header.firstLsn;
      return at;
    }
    return null;
  }

  /**
   * Completes D with what every batch header behind the gap says, once. Answers how many bytes of this log's own
   * writing lie there: what is cut if this is a torn tail. In a segment with an earlier life only batch headers tell.
   */
  *#lookAhead(index: number, reader: SegmentReader, offset: number): Flow<number> {
    if (this.#lookedAhead && this.#expected <= this.#durableLsn) return 0; // damage: nobody asks
    let bytes = (yield* this.#look(this.#segments[index] as SegmentFile, reader, offset)) - offset;
    for (const segment of this.#segments.slice(index + 1)) {
      const later = yield* SegmentReader.open(this.#options.disk, this.#options.hash, this.#options.salt, segment);
      const end = yield* this.#look(segment, later, SEGMENT_HEADER_BYTES);
      yield* later.close();
      if (segment.header !== null || end > SEGMENT_HEADER_BYTES) bytes += end;
    }
    for (const segment of this.#folder.segments) {
      if (segment.header?.state === 'prepared') bytes += yield* this.#lookIntoPrepared(segment);
    }
    this.#lookedAhead = true;
    return bytes;
  }

  /** Notes what headers from `offset` on call durable; the end of the last trace of this log there. */
  *#look(segment: SegmentFile, reader: SegmentReader, offset: number): Flow<number> {
    const zeroed = segment.header?.zeroed === true;
    let end = offset;
    for (let at = yield* reader.skipZeros(offset); at < reader.size; at = yield* reader.skipZeros(at)) {
      const state = yield* reader.at(at);
      if (state === 'none') {
        if (zeroed || reader.looksOurs(at, this.#expected)) end = at + SECTOR_BYTES;
        at += SECTOR_BYTES;
        continue;
      }
      this.#seen(reader);
      end = at + reader.header.length;
      at += state === 'whole' ? reader.header.length : SECTOR_BYTES;
    }
    return end;
  }

  /** The first write into a segment brings its header; if only the batch arrived, it still says what was durable. */
  *#lookIntoPrepared(segment: SegmentFile): Flow<number> {
    const reader = yield* SegmentReader.open(this.#options.disk, this.#options.hash, this.#options.salt, segment);
    const state = yield* reader.at(SEGMENT_HEADER_BYTES);
    yield* reader.close();
    if (state === 'none') return 0;
    this.#seen(reader);
    return reader.header.length;
  }

  // ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #stop(segment: number, offset: number, bytes: number): void {
    this.#stopped = { segment, offset };
    if (bytes > 0) this.#findings.cut = { segment, offset, bytes };
  }

  *finish(): Flow<RecoveredLog> {
    const lastLsn = Math.max(this.#expected - 1, this.#durableLsn, 0);
    const kept = new Set(this.#trail.segments.map((segment) => segment.sequence));
    const ignored = this.#folder.segments.filter((segment) => !kept.has(segment.sequence));
    let spares = this.#folder.spares;
    if (this.#options.readOnly !== true) {
      spares = [...spares, ...(yield* retireSegments(this.#options.disk, ignored))];
      yield* removeFiles(this.#options.disk, this.#folder.leftovers);
      yield* this.#trail.makeDurable(this.#options.disk, this.#durableLsn);
    }
    return {
      lastLsn: lastLsn as Lsn,
      durableLsn: this.#durableLsn as Lsn,
      entries: this.#entries,
      bytes: this.#bytes,
      cut: this.#findings.cut,
      damage: this.#findings.damage,
      damagedPartitions: this.#findings.partitions,
      start: {
        previousLsn: lastLsn,
        nextLsn: lastLsn + 1 + this.#leftOut(),
        nextSequence: this.#folder.lastSequence + 1,
        segments: this.#trail.segments,
        spares,
      },
    };
  }

  #leftOut(): number {
    const { clean, opening } = this.#options;
    return clean || opening === 1 ? 0 : Math.max(1, opening - this.#lastOpening) * LSNS_LEFT_OUT;
  }

  /** What a valid header says about everything else. */
  #seen(reader: SegmentReader): void {
    this.#seenDurable(reader.header.durableLsn);
    this.#oldestNamed = Math.max(this.#oldestNamed, reader.sequence - reader.header.neededBefore);
  }

  #seenDurable(lsn: number): void {
    if (lsn > this.#durableLsn) this.#durableLsn = lsn;
  }
}
