/* What may be asked about the ring by hand, and done to it: ring-admin.ts does it. */
import type {
  ClusterStatusFacts,
  CommitFacts,
  HistoryFacts,
  PlanFacts,
  StagedFacts,
} from '../../model/cluster-facts.js';
import type { StagedEdit } from './staged-edits.js';

/** Why something was not done: a sentence for people. */
export interface Refused {
  readonly refused: string;
}

export interface RingControl {
  status(): ClusterStatusFacts;
  history(): HistoryFacts;
  /** After those that are staged already. A plan that was made without them is none any more. */
  stage(more: readonly StagedEdit[]): StagedFacts | Refused;
  /** Forgets what is staged, and answers what that was. */
  clear(): StagedFacts;
  /** `done` once, at once or when the members have been asked for their disks. */
  plan(done: (facts: PlanFacts | Refused) => void): void;
  /** `done` once: at once, or when the voters have decided, or can not. */
  commit(baseVersion: number, planHash: string, done: (facts: CommitFacts) => void): void;
  /** By force, where no majority of voters is left that remembers; `edits` is a JSON list of ordinals that are lost for good. */
  nameVoters(baseVersion: number, edits: string, done: (facts: CommitFacts) => void): void;
  /** Raises the feature level to what all members understand. `done` as of a commit. */
  finalize(done: (facts: CommitFacts) => void): void;
}
