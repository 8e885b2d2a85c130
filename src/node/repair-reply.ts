import type { RepairReply } from '../model/exchange-messages.js';

/** Of a node that is a cluster of its own. */
export const NOBODY_TO_MEET: RepairReply = {
  periodMs: 0,
  partitions: 0,
  suspect: [],
  waiting: 0,
  underWay: 0,
  met: 0,
  failed: 0,
  received: 0,
  sent: 0,
  bytesIn: 0,
  bytesOut: 0,
  young: 0,
  healed: 0,
  damagedHealed: 0,
};
