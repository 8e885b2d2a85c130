/*
 * ring/acceptor: what this node's acceptor has said about the next ring (membership/ring-acceptor.ts). It must not be
 * forgotten, or else the acceptor must not vote any more; so the file has an id of its own, drawn when it is made, by which
 * a ring names its voters. If the file is gone, or cannot be read, another is made: with another id, so that it does not vote
 * until a ring names that one. A node never stays down for it: gets and puts do not need it.
 *
 *   body of a slot (slots.ts)
 *   offset  size  field
 *        0    16  acceptor id
 *       16     8  version that is being decided
 *       24     4  promised: round; 0: nothing was
 *       28     4            ordinal of the proposer
 *       32     4  accepted: round; 0: nothing was
 *       36     4            ordinal of the proposer
 *       40     8            XXH64 of the document, as the proposer told it
 *       48     n            document
 *
 * Every change is written to both slots, each synced, before it counts, and both are written anew at each opening: so a
 * slot that rots later takes no promise with it.
 */
import type { Disk } from '../env/disk.js';
import type { Random } from '../env/random.js';
import { assert } from '../lib/assert.js';
import { copyBytes, fromHex, readU32, readU53, toHex, writeU32, writeU53 } from '../lib/bytes.js';
import { type Flow, run, wait } from '../lib/flow.js';
import type { AcceptorState } from '../membership/ring-acceptor.js';
import type { Hash64 } from '../model/hash.js';
import type { Ballot } from '../model/ring-log-messages.js';
import { RING_DOCUMENT_BYTES_MAX } from '../ring/ring-file.js';
import { SLOT_HEADER_BYTES, SlotFile, type SlotKind, SlotsDamagedError } from './slots.js';

const FOLDER = 'ring';
const NAME = 'acceptor';
export const ACCEPTOR_PATH: string = `${FOLDER}/${NAME}`;
const KIND: SlotKind = { magic: 'partacpt', format: 1, slotBytes: 1_052_672 };
const DOCUMENT_AT = 48;
assert(SLOT_HEADER_BYTES + DOCUMENT_AT + RING_DOCUMENT_BYTES_MAX <= KIND.slotBytes, 'every ring fits in a slot');

/** How the file was found: as it was left, not at all, or unreadable. */
export type AcceptorFound = 'kept' | 'none' | 'damaged';

export class AcceptorFile {
  readonly found: AcceptorFound;
  /** As it was read; null in a new file. */
  readonly state: AcceptorState | null;
  /** 32 hexadecimal digits. */
  readonly acceptorId: string;
  readonly #slots: SlotFile;

  private constructor(found: AcceptorFound, slots: SlotFile, acceptorId: string, state: AcceptorState | null) {
    this.found = found;
    this.#slots = slots;
    this.acceptorId = acceptorId;
    this.state = state;
  }

  /** Throws on errors of the disk, and SlotsTooNewError. */
  static *open(disk: Disk, hash: Hash64, random: Random): Flow<AcceptorFile> {
    let found: AcceptorFound = 'none';
    try {
      const slots = yield* SlotFile.open(disk, hash, ACCEPTOR_PATH, KIND, FOLDER, NAME);
      if (slots !== null) {
        const { acceptorId, state } = decode(slots.body);
        const file = new AcceptorFile('kept', slots, acceptorId, state);
        yield* file.#write(slots.body);
        return file;
      }
    } catch (error) {
      if (!(error instanceof SlotsDamagedError)) throw error;
      found = 'damaged';
    }
    return yield* AcceptorFile.#create(disk, hash, random, found);
  }

  static *#create(disk: Disk, hash: Hash64, random: Random, found: AcceptorFound): Flow<AcceptorFile> {
    const acceptorId = drawId(random);
    yield* wait((done) => {
      disk.makeFolder(FOLDER, done);
    });
    yield* wait((done) => {
      disk.syncFolder('', done);
    });
    const slots = yield* SlotFile.create(disk, hash, ACCEPTOR_PATH, KIND, FOLDER, encode(acceptorId, NO_STATE));
    return new AcceptorFile(found, slots, acceptorId, null);
  }

  /** One at a time. After an error either slot may hold this state: the next one is written over both. */
  write(state: AcceptorState, done: (error: Error | null) => void): void {
    run(this.#write(encode(this.acceptorId, state)), done);
  }

  close(done: (error: Error | null) => void): void {
    run(this.#slots.close(), done);
  }

  *#write(body: Uint8Array): Flow<void> {
    yield* this.#slots.write(body);
    yield* this.#slots.write(body);
  }
}

/** The file, or why there is none to be had: goes on after "the node" or "it". Only the vote is lost with it. */
export function* openAcceptor(disk: Disk, hash: Hash64, random: Random): Flow<AcceptorFile | string> {
  try {
    return yield* AcceptorFile.open(disk, hash, random);
  } catch (error) {
    return `cannot use its file ${ACCEPTOR_PATH}: ${(error as Error).message}`;
  }
}

function drawId(random: Random): string {
  const id = new Uint8Array(16);
  random.fill(id);
  return toHex(id);
}

const NO_STATE: AcceptorState = { version: 0, promised: null, accepted: null };

function encode(acceptorId: string, { version, promised, accepted }: AcceptorState): Uint8Array {
  const document = accepted?.document ?? null;
  const bytes = new Uint8Array(DOCUMENT_AT + (document?.bytes.length ?? 0));
  bytes.set(fromHex(acceptorId), 0);
  writeU53(bytes, 16, version);
  writeBallot(bytes, 24, promised);
  writeBallot(bytes, 32, accepted?.ballot ?? null);
  if (document !== null) {
    bytes.set(fromHex(document.hash), 40);
    bytes.set(document.bytes, DOCUMENT_AT);
  }
  return bytes;
}

function decode(bytes: Uint8Array): { readonly acceptorId: string; readonly state: AcceptorState } {
  const ballot = readBallot(bytes, 32);
  const document = { bytes: copyBytes(bytes, DOCUMENT_AT), hash: toHex(bytes.subarray(40, DOCUMENT_AT)) };
  const accepted = ballot === null ? null : { ballot, document };
  return {
    acceptorId: toHex(bytes.subarray(0, 16)),
    state: { version: readU53(bytes, 16), promised: readBallot(bytes, 24), accepted },
  };
}

function writeBallot(bytes: Uint8Array, at: number, ballot: Ballot | null): void {
  writeU32(bytes, at, ballot?.round ?? 0);
  writeU32(bytes, at + 4, ballot?.ordinal ?? 0);
}

function readBallot(bytes: Uint8Array, at: number): Ballot | null {
  const round = readU32(bytes, at);
  return round === 0 ? null : { round, ordinal: readU32(bytes, at + 4) };
}
