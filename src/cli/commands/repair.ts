/*
 * partita repair start, partita repair status: how far the owners of a node's partitions are with comparing what they hold
 * (§4.7), and whether everything that the node holds is believed.
 */
import { setTimeout as rest } from 'node:timers/promises';
import type { RepairReply } from '../../model/exchange-messages.js';
import { decodeRepairReply, encodeRepair } from '../../wire/codec-exchange.js';
import { REPAIR, REPAIR_REPLY } from '../../wire/kinds.js';
import { adminAddress, askAdmin } from '../admin.js';
import type { AdminOptions } from '../admin.js';
import { durationText } from '../durations.js';
import { EXIT_DONE } from '../exit-codes.js';
import type { Io } from '../io.js';
import { formatOf, printJson, printLines } from '../output.js';
import { timeoutMsOf } from '../session.js';
import type { CommonOptions } from '../session.js';

export type RepairOptions = AdminOptions & Pick<CommonOptions, 'output' | 'timeout'> & { readonly wait?: boolean };

const LOOK_MS = 500;
const BAR_CHARACTERS = 30;

export async function runRepair(io: Io, verb: 'start' | 'status', options: RepairOptions): Promise<number> {
  const timeoutMs = timeoutMsOf(options);
  const address = adminAddress(io, options);
  const ask = (start: boolean): Promise<RepairReply> =>
    askAdmin(address, timeoutMs, {
      kind: REPAIR,
      replyKind: REPAIR_REPLY,
      body: encodeRepair({ budgetMs: timeoutMs, start }),
      read: decodeRepairReply,
    });
  const format = formatOf(io, options.output);
  let reply = await ask(verb === 'start');
  const first = leftOf(reply);
  while (options.wait === true && leftOf(reply) > 0) {
    if (format === 'table') io.err(`${bar(first, leftOf(reply))}\n`);
    await rest(LOOK_MS);
    reply = await ask(false);
  }
  if (format === 'json') printJson(io, reply);
  else if (format === 'raw') printLines(io, rawOf(reply));
  else for (const line of textOf(reply)) io.out(`${line}\n`);
  return EXIT_DONE;
}

function leftOf({ waiting, underWay, suspect }: RepairReply): number {
  return Math.max(waiting + underWay, suspect.length);
}

/** `first`: how much was left when it was looked first. */
function bar(first: number, left: number): string {
  const share = first === 0 ? 1 : Math.max(0, 1 - left / first);
  const full = Math.round(share * BAR_CHARACTERS);
  return `[${'#'.repeat(full)}${'.'.repeat(BAR_CHARACTERS - full)}] ${Math.floor(100 * share)} %, ${left} left`;
}

function rawOf(reply: RepairReply): readonly (readonly string[])[] {
  const { suspect, ...numbers } = reply;
  return [...Object.entries(numbers).map(([name, value]) => [name, String(value)]), ['suspect', suspect.join(',')]];
}

function textOf(reply: RepairReply): readonly string[] {
  const { periodMs, partitions, suspect, waiting, underWay, met, failed } = reply;
  const { received, sent, bytesIn, bytesOut, young, healed, damagedHealed } = reply;
  if (periodMs === 0) return ['Nothing to compare: no other node owns what this one does'];
  const doubt =
    suspect.length === 0
      ? `${partitions} partitions, all of them counted in reads`
      : `${partitions} partitions, ${suspect.length} of them suspect: not counted in reads until every other owner has been met (${namesOf(suspect)})`;
  const state =
    waiting + underWay === 0 ? 'nothing to do just now' : `${underWay} meetings under way, ${waiting} waiting`;
  return [
    doubt,
    `${state}; every pair of owners meets once in ${durationText(periodMs)}`,
    `since the start: ${met} meetings, ${failed} broken off; ${received} records received, ${sent} sent; ${bytesIn} bytes in, ${bytesOut} out`,
    `${young} differences left alone as too young, ${healed} partitions healed, ${damagedHealed} damaged records healed`,
  ];
}

function namesOf(partitions: readonly number[]): string {
  const shown = partitions.slice(0, 8).join(', ');
  return partitions.length > 8 ? `${shown} …` : shown;
}
