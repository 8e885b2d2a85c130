/*
 * Changing the members of the ring by hand, in three steps (§4.8.1: joining and leaving are explicit acts):
 *
 *   stage    edits are collected here, on the node that is asked; nothing happens
 *   plan     what they would make of the ring in force: a document, named by its hash, and what it would cost
 *   commit   the same document is made again, and the voters are asked to decide on it
 *
 * Between plan and commit lie minutes, and other people. So a commit names the ring version that was planned on and the
 * hash of what was shown; if the ring has changed, or the same edits would make another ring now, it is refused. The seed,
 * which draws which partitions move, is part of the plan: without it a commit would make another ring than was looked at.
 * Two administrators on two nodes know nothing of each other before the voters decide: one of them gets a conflict.
 *
 * Edits, plan and the history of rings are notes: they outlive a restart of the node, and nothing depends on them.
 */
import type { Log } from '../../env/meter.js';
import { toHex, writeU32 } from '../../lib/bytes.js';
import type {
  ClusterStatusFacts,
  CommitFacts,
  HistoryFacts,
  PlanFacts,
  StagedFacts,
} from '../../model/cluster-facts.js';
import type { Hash64 } from '../../model/hash.js';
import type { RingPlan } from '../../ring/change.js';
import { encodeRing, headFault, type RingDocument, type RingMember, stayingMembers } from '../../ring/document.js';
import { editMembers, type RingEdit } from '../../ring/edits.js';
import { ringSizeFault } from '../../ring/ring-file.js';
import type { ChangeOutcome, RingWish } from './change-outcome.js';
import { finalizeFacts } from './feature-levels.js';
import { type SeenCluster, statusFacts } from './cluster-status.js';
import type { Refused, RingControl } from './ring-control.js';
import {
  emptyNotes,
  type KeptPlan,
  type Notes,
  type NotesStore,
  readNotes,
  withRing,
  writeNotes,
} from './ring-notes.js';
import { type Seen, weighPlan } from './ring-plan.js';
import type { Survey } from './space-survey.js';
import { editTexts, STAGED_MAX, type StagedEdit } from './staged-edits.js';

const CHANGE_CHARACTERS_MAX = 400;
const BUSY = 'A commit is under way on this node: wait for its end';

export interface RingAdminWorld {
  readonly hash: Hash64;
  readonly log: Log;
  readonly random: { u32(): number };
  /** Absent: what is staged is forgotten with the process. */
  readonly store: NotesStore | null;
  seen(): SeenCluster;
  /** The ring that these edits make of the one in force. */
  plan(edits: readonly RingEdit[], wish: RingWish): RingPlan;
  /** The ring in force at this feature level. */
  raise(level: number, change: string): RingPlan;
  /** Asks members for their disks; who does not answer soon is not in the answer. */
  survey(ordinals: readonly number[], told: (survey: Survey) => void): void;
  /** Has the voters decide on it. */
  propose(ring: RingDocument, done: (outcome: ChangeOutcome) => void): void;
  /** RingLife's. */
  nameVoters(lost: readonly number[], done: (outcome: ChangeOutcome) => void): void;
}

export class RingAdmin implements RingControl {
  readonly #world: RingAdminWorld;
  #notes: Notes;
  #isCommitting = false;
  #isSaving = false;
  #isDirty = false;
  #isBroken = false;

  constructor(world: RingAdminWorld) {
    this.#world = world;
    this.#notes = world.store === null ? emptyNotes() : readNotes(world.store.kept);
    this.setRing(world.seen().ring);
  }

  /** This ring is in force from now on. */
  setRing(ring: RingDocument): void {
    this.#keep(withRing(this.#notes, ring));
  }

  status(): ClusterStatusFacts {
    const seen = this.#world.seen();
    const { edits, plan } = this.#notes;
    const isStale = plan !== null && plan.baseVersion !== seen.ring.version;
    return {
      ...statusFacts(seen),
      staged: editTexts(seen.ring, edits),
      plan: plan === null ? null : { version: plan.baseVersion + 1, hash: plan.hash, isStale },
      joining: edits.flatMap((edit) => (edit.kind === 'join' ? [edit.name ?? ''] : [])),
    };
  }

  history(): HistoryFacts {
    return { rings: this.#notes.history };
  }

  stage(more: readonly StagedEdit[]): StagedFacts | Refused {
    const { ring } = this.#world.seen();
    const edits = [...this.#notes.edits, ...more];
    if (edits.length > STAGED_MAX) return { refused: `${edits.length} edits; at most ${STAGED_MAX} can be staged` };
    const members = editMembers(ring, edits);
    const fault = 'fault' in members ? members.fault : membersFault(ring, members);
    if (fault !== null) {
      const also =
        this.#notes.edits.length === 0 ? '' : ', together with what is staged already (partita cluster status)';
      return { refused: `Not staged, since it makes no ring${also}: ${fault}` };
    }
    this.#keep({ ...this.#notes, edits, plan: null });
    return { staged: editTexts(ring, edits) };
  }

  clear(): StagedFacts {
    const staged = editTexts(this.#world.seen().ring, this.#notes.edits);
    this.#keep({ ...this.#notes, edits: [], plan: null });
    return { staged };
  }

  plan(done: (facts: PlanFacts | Refused) => void): void {
    const seen = this.#world.seen();
    const { ring } = seen;
    const { edits } = this.#notes;
    if (edits.length === 0) return done({ refused: NOTHING_STAGED });
    const seed = this.#world.random.u32();
    const next = this.#world.plan(edits, { seed, change: changeText(ring, edits) });
    const fault = planFault(ring, next);
    if (fault !== null || 'fault' in next)
      return done({ refused: `No ring can be made of what is staged: ${fault}. partita cluster clear forgets it` });
    const plan: KeptPlan = { seed, baseVersion: ring.version, hash: this.#hashOf(next) };
    this.#keep({ ...this.#notes, plan });
    this.#world.survey(
      ring.members.map(({ ordinal }) => ordinal),
      (survey) => {
        done({
          ...weighPlan(ring, next, { ...reachableIn(seen), survey }),
          hash: plan.hash,
          edits: editTexts(ring, edits),
          next: `partita cluster commit --version ${next.version} --plan ${plan.hash}`,
        });
      },
    );
  }

  commit(baseVersion: number, planHash: string, done: (facts: CommitFacts) => void): void {
    const { ring } = this.#world.seen();
    const { edits } = this.#notes;
    const fault = this.#commitFault(ring, baseVersion, planHash);
    const plan = this.#notes.plan;
    if (fault !== null || plan === null) {
      done(fault ?? refusal(NO_PLAN));
      return;
    }
    const next = this.#world.plan(edits, { seed: plan.seed, change: changeText(ring, edits) });
    if ('fault' in next || this.#hashOf(next) !== plan.hash) {
      this.#keep({ ...this.#notes, plan: null });
      done(
        refusal(
          'What is staged makes another ring now than was planned (voters have changed). Plan again: partita cluster plan',
        ),
      );
      return;
    }
    this.#isCommitting = true;
    this.#world.propose(next, (outcome) => {
      this.#isCommitting = false;
      done(this.#committed(next, edits, outcome));
    });
  }

  nameVoters(baseVersion: number, edits: string, done: (facts: CommitFacts) => void): void {
    const { version } = this.#world.seen().ring;
    const lost = ordinalsIn(edits);
    if (lost === null) done(refusal('What is lost for good is to be a list of node numbers'));
    else if (this.#isCommitting) done(refusal(BUSY));
    else if (version !== baseVersion)
      done(
        refusal(`Ring version ${version} is in force, not ${baseVersion}: look at it again before anything is forced`),
      );
    else
      this.#world.nameVoters(lost, ({ kind, text }) => {
        done({ ...refusal(text), kind });
      });
  }

  finalize(done: (facts: CommitFacts) => void): void {
    const seen = this.#world.seen();
    const facts = finalizeFacts(seen);
    if (this.#isCommitting) return done(refusal(BUSY));
    if (facts === null) return done(refusal(`${nothingAbove(seen.ring)}: there is nothing to finalize`));
    if (!facts.isReady) return done(refusal(`The level is not raised: ${facts.text}`));
    const next = this.#world.raise(facts.level, `feature level ${facts.level}`);
    if ('fault' in next) return done(refusal(next.fault));
    this.#isCommitting = true;
    this.#world.propose(next, ({ kind, text }) => {
      this.#isCommitting = false;
      if (kind === 'done') done({ kind, text, ring: jsonOf(next), version: next.version, joined: [] });
      else done({ ...refusal(text), kind });
    });
  }

  #commitFault(ring: RingDocument, baseVersion: number, planHash: string): CommitFacts | null {
    const { plan } = this.#notes;
    if (this.#isCommitting) return refusal(BUSY);
    if (plan === null) return refusal(NO_PLAN);
    if (plan.baseVersion !== baseVersion || plan.hash !== planHash)
      return refusal(
        `This node has another plan: version ${plan.baseVersion + 1}, ${plan.hash}. Somebody has planned again; look at it with partita cluster plan`,
      );
    if (ring.version === baseVersion) return null;
    const what = ring.change === '' ? '' : ` (${ring.change})`;
    const text = `The ring has changed since that plan: version ${ring.version} is in force${what}, and the plan is one for version ${baseVersion}. Plan again: partita cluster plan`;
    return { ...refusal(text), kind: 'conflict' };
  }

  #committed(next: RingDocument, edits: readonly StagedEdit[], { kind, text }: ChangeOutcome): CommitFacts {
    if (kind !== 'done') {
      if (kind !== 'no-quorum') this.#keep({ ...this.#notes, plan: null });
      return { ...refusal(text), kind };
    }
    const rest = this.#notes.edits.filter((edit) => !edits.includes(edit));
    this.#keep({ ...this.#notes, edits: rest, plan: null });
    const joined = edits.flatMap((edit) =>
      edit.kind === 'join' ? [{ nodeId: edit.nodeId, name: edit.name ?? '' }] : [],
    );
    return { kind, text, ring: jsonOf(next), version: next.version, joined };
  }

  /** The clock of whoever commits is no part of what was planned. */
  #hashOf(ring: RingDocument): string {
    const { hash } = this.#world;
    const bytes = encodeRing({ ...ring, changedAtMs: 0 });
    hash.hash(bytes, 0, bytes.length);
    const digest = new Uint8Array(8);
    writeU32(digest, 0, hash.hi);
    writeU32(digest, 4, hash.lo);
    return toHex(digest);
  }

  #keep(notes: Notes): void {
    if (notes === this.#notes) return;
    this.#notes = notes;
    this.#isDirty = true;
    this.#save();
  }

  #save(): void {
    const { store, log } = this.#world;
    if (store === null || this.#isSaving || this.#isBroken || !this.#isDirty) return;
    this.#isDirty = false;
    this.#isSaving = true;
    store.save(writeNotes(this.#notes), (error) => {
      this.#isSaving = false;
      if (error === null) {
        this.#save();
        return;
      }
      this.#isBroken = true; // a slot that may be half written must not be written again
      const text = 'What is staged by partita cluster is kept in memory only until the next start';
      log.warn('ring-notes-not-kept', { error: error.message, text });
    });
  }
}

function jsonOf(ring: RingDocument): unknown {
  return JSON.parse(Buffer.from(encodeRing(ring)).toString());
}

function nothingAbove({ level }: RingDocument): string {
  return `The cluster is at feature level ${level}, and no member that can be reached understands a higher one`;
}

const NOTHING_STAGED =
  'Nothing is staged. Say what is to change first: partita cluster join, leave, remove, replace, set';

function reachableIn({ self, peers, quorum }: SeenCluster): Omit<Seen, 'survey'> {
  const isReachable = (ordinal: number): boolean =>
    ordinal === self || peers.some((peer) => peer.ordinal === ordinal && peer.state === 'ready');
  return { self, quorum, isReachable };
}

const NO_PLAN = 'There is no plan, or it is not one of what is staged now. Make one: partita cluster plan';

function refusal(text: string): CommitFacts {
  return { kind: 'refused', text, ring: null, version: 0, joined: [] };
}

function ordinalsIn(edits: string): readonly number[] | null {
  try {
    const lost = JSON.parse(edits) as unknown;
    return Array.isArray(lost) && lost.every((one) => Number.isInteger(one)) ? (lost as number[]) : null;
  } catch {
    return null;
  }
}

function planFault(ring: RingDocument, next: RingPlan): string | null {
  if ('fault' in next) return next.fault;
  const isSame = JSON.stringify(next.members) === JSON.stringify(ring.members);
  return isSame ? 'it changes nothing' : ringSizeFault(next);
}

/** What is wrong with them as the members of the next ring. */
function membersFault(ring: RingDocument, members: readonly RingMember[]): string | null {
  const { replicaCount } = ring;
  const staying = stayingMembers(members).length;
  if (staying < replicaCount)
    return `${staying} of its nodes would stay, and each key is kept on ${replicaCount}, which never changes. Have another join first, or at the same time: partita cluster replace OLD NAME=HOST:PORT`;
  return headFault({ ...ring, version: ring.version + 1, members });
}

function changeText(ring: RingDocument, edits: readonly StagedEdit[]): string {
  const text = editTexts(ring, edits).join(', ');
  return text.length <= CHANGE_CHARACTERS_MAX ? text : `${text.slice(0, CHANGE_CHARACTERS_MAX - 1)}…`;
}
