/*
 * Planted bugs of expiry: versions that live longer than they were to, shorter, or not everywhere as long. Compiled
 * passages only.
 */
import type { Mutant } from './mutant.js';
import { AWAY, ringOf, WORK } from './ring-shapes.js';

const EXPIRING = { ...WORK, ttlChance: 0.6 };
const STRICT = { ...EXPIRING, strictChance: 1 };

export const expiryFromArrival: Mutant = {
  name: 'expiry-from-arrival',
  what: 'a replica counts the time to live from the moment at which the record came to it, by its own clock',
  edits: [
    {
      file: 'node/cluster/record-write.js',
      from: 'import { eachStamp,',
      to: 'import { siblingCount, siblingExpiresMs, siblingsStart, siblingWallMs, eachStamp,',
    },
    {
      file: 'node/cluster/record-write.js',
      from: "import { copyBytes } from '../../versioning/write.js';",
      to: "import { copyBytes, seal } from '../../versioning/write.js';\nimport { writeU48 } from '../../lib/bytes.js';",
    },
    {
      file: 'node/cluster/record-write.js',
      from: 'copyBytes(this.#bytes, this.#start, this.#end - this.#start, target, at);\n',
      to: `{
            copyBytes(this.#bytes, this.#start, this.#end - this.#start, target, at);
            for (let i = 0; i < siblingCount(target, at); i++) {
                const header = siblingsStart(target, at) + 48 * i;
                const expiresMs = siblingExpiresMs(target, header);
                const livesMs = expiresMs - siblingWallMs(target, header);
                if (expiresMs > 0) writeU48(target, header + 26, Math.floor(services.clock.wallMs() + livesMs));
            }
            seal(target, at, this.#end - this.#start, services.hash);
        }
`,
    },
  ],
  given: ringOf(4, ['clock', 'isolate', 'pause'], { skewMaxMs: 20_000, work: EXPIRING }),
};

export const ttlLostOnTheWay: Mutant = {
  name: 'ttl-lost-on-the-way',
  what: 'a put that is handed on to an owner forgets that it is to expire',
  edits: [{ file: 'node/put.js', from: 'ttlMs: this.#ttlMs,', to: 'ttlMs: 0,' }],
  given: ringOf(5, AWAY, {
    skewMaxMs: 500,
    cluster: { kind: 'ring', replicaCount: 3, zones: 1, routing: 'any' },
    work: EXPIRING,
  }),
};

export const expiredIsShown: Mutant = {
  name: 'expired-is-shown',
  what: 'a coordinator shows what its replicas hold, whether it has expired or not',
  edits: [
    {
      file: 'node/cluster/cluster-get.js',
      from: 'view.show(record, 0, services.viewMs());',
      to: 'view.show(record, 0, 0);',
    },
  ],
  given: ringOf(4, AWAY, { skewMaxMs: 500, work: EXPIRING }),
};

export const expiresEarly: Mutant = {
  name: 'expires-early',
  what: 'a version is hidden as long before its end as clocks may differ',
  edits: [
    {
      file: 'versioning/view.js',
      from: 'expiresMs > this.#nowMs',
      to: 'expiresMs - 60_000 > this.#nowMs',
    },
  ],
  given: ringOf(4, AWAY, { skewMaxMs: 500, work: STRICT }),
};
