/* What administration of the ring remembers between two commands, as JSON that outlives a restart. */
import type { HistoryEntry } from '../../model/cluster-facts.js';
import type { RingDocument } from '../../ring/document.js';
import { readEdits, type StagedEdit } from './staged-edits.js';

/** Rings that a node remembers to have seen. */
export const HISTORY_MAX = 64;

/** storage/ring-notes-file.ts */
export interface NotesStore {
  /** What was saved last; null: nothing yet. */
  readonly kept: Uint8Array | null;
  /** One at a time. */
  save(notes: Uint8Array, done: (error: Error | null) => void): void;
}

export interface KeptPlan {
  readonly seed: number;
  readonly baseVersion: number;
  readonly hash: string;
}

export interface Notes {
  readonly edits: readonly StagedEdit[];
  readonly plan: KeptPlan | null;
  /** Newest first. */
  readonly history: readonly HistoryEntry[];
}

export function emptyNotes(): Notes {
  return { edits: [], plan: null, history: [] };
}

export function withRing(notes: Notes, { version, changedAtMs, change }: RingDocument): Notes {
  if ((notes.history[0]?.version ?? 0) >= version) return notes;
  return { ...notes, history: [{ version, changedAtMs, change }, ...notes.history].slice(0, HISTORY_MAX) };
}

export function writeNotes(notes: Notes): Uint8Array {
  return Buffer.from(JSON.stringify(notes));
}

/** Notes of another release may be others: what is not understood was not worth a start that fails. */
export function readNotes(bytes: Uint8Array | null): Notes {
  if (bytes === null) return emptyNotes();
  try {
    const { edits, plan, history } = JSON.parse(Buffer.from(bytes).toString()) as Partial<Notes>;
    const read = readEdits(JSON.stringify(edits ?? []));
    const isRead = typeof read !== 'string';
    return {
      edits: isRead ? read : [],
      plan: isRead && isPlan(plan) ? plan : null,
      history: Array.isArray(history) ? history.filter(isEntry).slice(0, HISTORY_MAX) : [],
    };
  } catch {
    return emptyNotes();
  }
}

function isPlan(plan: KeptPlan | null | undefined): plan is KeptPlan {
  return typeof plan?.seed === 'number' && typeof plan.baseVersion === 'number' && typeof plan.hash === 'string';
}

function isEntry(entry: Partial<HistoryEntry> | null): entry is HistoryEntry {
  const { version, changedAtMs, change } = entry ?? {};
  return typeof version === 'number' && typeof changedAtMs === 'number' && typeof change === 'string';
}
