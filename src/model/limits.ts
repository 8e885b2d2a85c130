/*
 * Every bound that is part of the contract with clients and files, in one place. What an operator may change is a
 * default here and a field of the configuration; relations between limits are asserted at start-up.
 */

export const KEY_BYTES_MAX = 2_048;
export const VALUE_BYTES_DEFAULT_MAX = 1_048_576;
export const VALUE_BYTES_HARD_MAX = 16_777_216;

/** Frames: header, and how large a body may be before and after Hello was accepted. */
export const FRAME_HEADER_BYTES = 12;
export const FRAME_BODY_BYTES_BEFORE_HELLO = 4_096;
/** What a frame needs beside the values that it carries: keys, contexts, numbers. */
export const FRAME_OVERHEAD_BYTES = 262_144;

export const SIBLINGS_WARN = 25;
/** A put that would add a sibling to this many is refused; one that covers any sibling never is. */
export const SIBLINGS_MAX = 100;
export const CONTEXT_ENTRIES_WARN = 64;
/** No decoder accepts a context or record with more actors. */
export const CONTEXT_ENTRIES_MAX = 4_096;

export const REMEMBERED_PUT_IDS_MAX = 16;
/** A put id older than this is refused; its outcome is unknown. Seconds. */
export const RETRY_WINDOW_S = 60;
/** How far ahead of the local clock a remote stamp may be. */
export const CLOCK_SKEW_MAX_MS = 60_000;

export const MULTI_KEYS_MAX = 1_024;
/** Keys in one reply to KEYS. */
export const LISTED_KEYS_MAX = 1_000;
export const PARTITIONS_MAX = 4_096;
export const PARTITIONS_DEFAULT = 256;

/** Records that one round of reaping is about. */
export const REAP_HEADS_MAX = 64;
/** Of those that have no living version. Fewer are not worth a round: whoever puts next has an actor anew. */
export const COMPACT_ACTORS_MIN = 8;

export const BUDGET_MS_MAX = 60_000;

/** Leaves of the Merkle trees of all partitions together; a partition has 2^20 / Q. */
export const MERKLE_LEAVES_TOTAL = 1_048_576;
