/* Each says what went wrong, if anything did. */
import { fallbackThatHeardAgain, forgetfulFallback } from './forgetful-fallback.js';
import {
  aloneAfterLoss,
  alreadyWrittenAfterBackup,
  blindAfterLoss,
  oldContextAfterLoss,
  tombstoneAfterLoss,
} from './kv679.js';
import { lostAck, lostAckOfKilledNode } from './lost-ack.js';
import { oneOfThreeHintsHome, putAfterUnread, retryWhereItNeverWas } from './replicas.js';
import type { RingOfFive } from './ring-of-five.js';
import { oneWhoReadsFirst, thoseWhoNeverRead, writersInTurn } from './siblings.js';

export type Scar = (ring: RingOfFive) => Promise<readonly string[]>;

export const SCARS: readonly (readonly [string, Scar])[] = [
  ['lost ack, retry elsewhere', lostAck],
  ['lost ack, and the node killed', lostAckOfKilledNode],
  ['two writers in turn', writersInTurn],
  ['one who reads first', oneWhoReadsFirst],
  ['those who never read', thoseWhoNeverRead],
  ['the fallback that forgot', forgetfulFallback],
  ['the fallback that heard again', fallbackThatHeardAgain],
  ['kv679: a blind put after the loss', blindAfterLoss],
  ['kv679: an old context after the loss', oldContextAfterLoss],
  ['kv679: a tombstone before the loss', tombstoneAfterLoss],
  ['kv679: alone after the loss', aloneAfterLoss],
  ['kv679: put back from a backup', alreadyWrittenAfterBackup],
  ['a put on what a put was told', putAfterUnread],
  ['one of three hints has gone home', oneOfThreeHintsHome],
  ['a retry where the put never was', retryWhereItNeverWas],
];
