/* Bugs that are planted by text, in rings of several nodes. Imports nothing of src/ but types: see planted.ts. */
import * as expiries from './expiry-bugs.js';
import * as exchanges from './exchange-bugs.js';
import * as hints from './hint-bugs.js';
import * as merges from './merge-bugs.js';
import * as moves from './move-bugs.js';
import type { Mutant } from './mutant.js';
import * as reaps from './reap-bugs.js';
import * as replicas from './replica-bugs.js';
import * as scrubs from './scrub-bugs.js';

export const RING_BUGS: readonly Mutant[] = [
  ...Object.values(merges),
  ...Object.values(hints),
  ...Object.values(replicas),
  ...Object.values(expiries),
  ...Object.values(scrubs),
  ...Object.values(exchanges),
  ...Object.values(reaps),
  ...Object.values(moves),
];
