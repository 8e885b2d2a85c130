import type { Failure } from '../model/errors.js';

/** Null: it is accepted, and has been told so. `challenged`: another frame is to come. Otherwise: why not. */
export type Greeting = Failure | 'challenged' | null;
