/* Planted bugs of versions where several nodes mint, merge and show them. Compiled passages only. */
import type { FaultKind } from '../options.js';
import type { Mutant } from './mutant.js';
import { AWAY, ringOf, WORK } from './ring-shapes.js';

const MERGE = 'versioning/merge.js';
const RETRIES = { ...WORK, keys: 2, timeoutMs: 300, mix: [20, 10, 10, 0, 20, 40, 20] };
/** Some go on without the others. */
const APART: readonly FaultKind[] = ['isolate', 'cut-pair', 'partial', 'pause'];
const ANY_NODE = { kind: 'ring', replicaCount: 3, zones: 1, routing: 'any' } as const;

export const counterAmnesia: Mutant = {
  name: 'counter-amnesia',
  what: 'a mark of an earlier opening is believed: a store put back from a copy counts on from there',
  edits: [
    {
      file: 'storage/engine-mark.js',
      from: 'readU48(bytes, at + OPENING_AT) !== opening || markCounter(bytes, at) === 0',
      to: 'markCounter(bytes, at) === 0',
    },
  ],
  given: ringOf(4, ['rollback', 'kill'], { faultEveryMs: 400, work: WORK }),
};

export const actorIsNode: Mutant = {
  name: 'actor-is-node',
  what: "a node's versions are named after the node and counted from what its store has of the key",
  edits: [
    {
      file: 'versioning/put.js',
      from: 'this.#hasFreshActor = !this.#markHolds(token);',
      to: `this.markActorHi = (this.#ordinal << 16) >>> 0;
        this.markActorLo = 0;
        const { bytes, start, end } = this.#local;
        const { markActorHi: hi, markActorLo: lo } = this;
        const local = start === end ? 0 : counterIn(bytes, contextStart(bytes, start), contextCount(bytes, start), hi, lo);
        const given = token === null ? 0 : counterIn(token.bytes, token.entries, token.entryCount, hi, lo);
        this.markCounter = local + 1;
        this.#hasFreshActor = local === 0 && given === 0;`,
    },
    { file: 'versioning/put.js', from: '#mint(token) {', to: '#mint(token) { if (token !== 0) return;' },
  ],
  given: ringOf(4, ['lost-disk', 'rollback', 'kill'], { faultEveryMs: 400, work: WORK }),
};

export const clientsClockOnly: Mutant = {
  name: 'clients-clock-only',
  what: "the next counter is one above what the client's context says, whatever this store has minted",
  edits: [
    {
      file: 'versioning/put.js',
      from: 'this.markCounter = this.#local.markCounter + 1;',
      to: 'this.markCounter = (token === null ? 0 : counterIn(token.bytes, token.entries, token.entryCount, this.markActorHi, this.markActorLo)) + 1;',
    },
  ],
  given: ringOf(4, AWAY, { work: WORK }),
};

export const contextIgnored: Mutant = {
  name: 'context-ignored',
  what: 'a put takes nothing away, whatever its client has read',
  edits: [
    {
      file: 'versioning/put.js',
      from: 'if (!isThis && token !== null && covers(token.bytes, token.entries, token.entryCount, bytes, header)) {',
      to: 'if (false) {',
    },
  ],
  given: ringOf(4, AWAY, { work: WORK }),
};

export const markFromElsewhere: Mutant = {
  name: 'mark-from-elsewhere',
  what: 'a record from another node brings a mark: the entry that it has of this one',
  edits: [
    {
      file: 'node/cluster/record-write.js',
      from: 'export class RecordWrite {',
      to: "import * as layout from '../../versioning/record.js';\nexport class RecordWrite {",
    },
    {
      file: 'node/cluster/record-write.js',
      from: 'this.markActorLo = stored.markActorLo;',
      to: `this.markActorLo = stored.markActorLo;
        const first = layout.contextStart(this.#bytes, this.#start);
        const last = first + layout.CONTEXT_ENTRY_BYTES * layout.contextCount(this.#bytes, this.#start);
        for (let at = first; !stored.hasMark && at < last; at += layout.CONTEXT_ENTRY_BYTES) {
            if (layout.actorHi(this.#bytes, at) >>> 16 !== this.#parts.self) continue;
            this.markActorHi = layout.actorHi(this.#bytes, at);
            this.markActorLo = layout.actorLo(this.#bytes, at);
            this.markCounter = layout.counterOf(this.#bytes, at);
        }`,
    },
  ],
  given: ringOf(4, ['lost-disk', 'rollback', 'kill', 'isolate'], { faultEveryMs: 400, work: WORK }),
};

export const readIdsForgotten: Mutant = {
  name: 'read-ids-forgotten',
  what: 'a put does not remember which puts its client had read, only which it took away itself',
  edits: [{ file: 'versioning/put.js', from: 'this.#rememberShown(token, put.putId);', to: 'void token;' }],
  given: ringOf(5, APART, {
    faultEveryMs: 300,
    cluster: ANY_NODE,
    work: { ...RETRIES, keys: 12, thinkMs: 60, mix: [10, 5, 15, 0, 25, 20, 30], reads: [1], writes: [1] },
  }),
  foundBy: ['resurrection', 'overlap'],
};

export const siblingLostInMerge: Mutant = {
  name: 'sibling-lost-in-merge',
  what: 'of what another replica has beyond two siblings, a merge takes nothing over',
  edits: [{ file: MERGE, from: 'this.#pick(b);', to: 'if (this.siblings < 2) this.#pick(b);' }],
  given: ringOf(5, AWAY, { work: WORK }),
};

export const idsResolvedInMerge: Mutant = {
  name: 'ids-resolved-in-merge',
  what: 'a merge keeps one of two versions with one put id, so what it comes to depends on the order of merges',
  edits: [
    {
      file: MERGE,
      from: 'this.#pick(b);',
      to: 'if (!hasPut(a, b.bytes, b.header)) this.#pick(b);',
    },
    {
      file: MERGE,
      from: 'function sameKey(',
      to: `function hasPut(a, bytes, header) {
    for (let at = siblingsStart(a.bytes, a.start); at < a.ids; at += SIBLING_HEADER_BYTES) {
        if (compareAt(a.bytes, at + layout.SIBLING_PUT_ID, bytes, header + layout.SIBLING_PUT_ID, PUT_ID_BYTES) === 0)
            return true;
    }
    return false;
}
import * as layout from './record.js';
function sameKey(`,
    },
  ],
  given: ringOf(5, AWAY, { faultEveryMs: 400, cluster: ANY_NODE, work: RETRIES }),
};

export const onePutShownTwice: Mutant = {
  name: 'one-put-shown-twice',
  what: 'two versions with one put id are shown as two',
  edits: [
    {
      file: 'versioning/view.js',
      from: ' && !this.#isDuplicate(header))\n                this.#add',
      to: ')\n                this.#add',
    },
  ],
  given: ringOf(5, AWAY, { cluster: ANY_NODE, work: RETRIES }),
};

export const overwrittenShown: Mutant = {
  name: 'overwritten-shown',
  what: 'a version whose put is known to have been overwritten is shown',
  edits: [{ file: 'versioning/view.js', from: 'if (!isRemembered && this.#isAlive', to: 'if (this.#isAlive' }],
  given: ringOf(5, APART, { faultEveryMs: 400, cluster: ANY_NODE, work: { ...RETRIES, strictChance: 1 } }),
};

export const idsOfOneSide: Mutant = {
  name: 'ids-of-one-side',
  what: 'a merge remembers the overwritten puts of one side only',
  edits: [{ file: MERGE, from: 'remembered.addAll(this.#b.bytes, this.#b.ids, this.#b.idCount);', to: '' }],
  given: ringOf(5, AWAY, { cluster: ANY_NODE, work: RETRIES }),
};
