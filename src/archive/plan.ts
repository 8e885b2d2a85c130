/*
 * What is decided about an archive: whom a partition is taken from, when that owner has met enough of the others, what need
 * not be copied again, and what may be thrown away.
 */
import type { ArchiveStateReply } from '../model/archive-messages.js';
import type { ArchivedPartition, Manifest } from './manifest.js';

export interface Candidate {
  /** Ordinal. */
  readonly owner: number;
  readonly latencyUs: number;
}

const LATENCY_US_MIN = 200;

/**
 * The owners in the order in which they are asked: the least loaded first. What this archive has taken from each counts as
 * load, too; else all of it would come from the one that happens to be fastest now.
 */
export function inOrderOfLoad(
  candidates: readonly Candidate[],
  takenFrom: ReadonlyMap<number, number>,
): readonly number[] {
  const load = ({ owner, latencyUs }: Candidate): number =>
    (1 + (takenFrom.get(owner) ?? 0)) * Math.max(latencyUs, LATENCY_US_MIN);
  return [...candidates].sort((a, b) => load(a) - load(b) || a.owner - b.owner).map(({ owner }) => owner);
}

/** `met`: other owners. An owner that has met a majority, with itself, holds whatever a majority acknowledged. */
export function isMajority(met: number, replicaCount: number): boolean {
  return met + 1 > replicaCount / 2;
}

export function rootText({ rootHi, rootLo }: { readonly rootHi: number; readonly rootLo: number }): string {
  const digits = (word: number): string => word.toString(16).padStart(8, '0');
  return digits(rootHi) + digits(rootLo);
}

/** It holds now what it held then: the leaves are of all that a merge looks at. */
export function isUnchanged(state: ArchiveStateReply, before: ArchivedPartition | undefined): boolean {
  return before !== undefined && before.complete && before.records === state.records && before.root === rootText(state);
}

export interface Pruning {
  readonly removed: readonly string[];
  /** Not among the newest, but their files are used: the archive, and one of those that refer to it. */
  readonly needed: readonly { readonly name: string; readonly by: string }[];
}

/**
 * Keeps the `keep` newest complete archives, what they refer to, and what is newer than the newest of them, as it may still
 * be in the making. `unreadable` ones are left for people to look at.
 */
export function planPruning(archives: readonly Manifest[], keep: number): Pruning {
  const newestFirst = [...archives].sort((a, b) => (a.name < b.name ? 1 : -1));
  const complete = newestFirst.filter((archive) => archive.complete);
  const newest = complete[0]?.name ?? '';
  const kept = new Set(complete.slice(0, keep).map(({ name }) => name));
  for (const { name } of newestFirst) if (name > newest) kept.add(name);
  const neededBy = new Map<string, string>();
  for (const { name, partitions } of newestFirst) {
    if (!kept.has(name)) continue;
    for (const { file } of partitions) {
      const archive = file?.archive ?? '';
      if (archive !== '' && !neededBy.has(archive)) neededBy.set(archive, name);
    }
  }
  const others = newestFirst.map(({ name }) => name).filter((name) => !kept.has(name));
  return {
    removed: others.filter((name) => !neededBy.has(name)),
    needed: others.flatMap((name) => {
      const by = neededBy.get(name);
      return by === undefined ? [] : [{ name, by }];
    }),
  };
}
