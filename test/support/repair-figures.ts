/* What real daemons have repaired: by meetings of owners, and by reads. */
import type { RepairReply } from '../../src/model/exchange-messages.js';
import type { Daemon, LogLine } from './daemon.js';
import { runCli } from './run-cli.js';

/** `partita repair status`, `start`, or (`meet`) `start --wait`. */
export async function repairOf(daemon: Daemon, how: 'status' | 'start' | 'meet'): Promise<RepairReply> {
  const verb = how === 'meet' ? ['start', '--wait'] : [how];
  const { code, out, err } = await runCli(['repair', ...verb, '--admin', daemon.ready.admin, '-o', 'json']);
  if (code !== 0) throw new Error(`partita repair ${verb.join(' ')}: ${err}`);
  return JSON.parse(out) as RepairReply;
}

/** Over several nodes, since each of them started. */
export interface RepairFigures {
  readonly met: number;
  readonly failed: number;
  /** Records that meetings moved, both directions. */
  readonly moved: number;
  readonly bytes: number;
  /** Differences that meetings left alone, as a copy may have been on its way. */
  readonly leftAlone: number;
  readonly readYoung: number;
  readonly readSettled: number;
  readonly readDropped: number;
}

export async function repairFigures(daemons: readonly Daemon[]): Promise<RepairFigures> {
  const each = await Promise.all(daemons.map(statusOf));
  const sum = (of: (repair: RepairReply, reads: ReadRepairs) => number): number =>
    each.reduce((total, line) => total + of(line['repair'] as RepairReply, line['readRepairs'] as ReadRepairs), 0);
  return {
    met: sum(({ met }) => met),
    failed: sum(({ failed }) => failed),
    moved: sum(({ received, sent }) => received + sent),
    bytes: sum(({ bytesIn, bytesOut }) => bytesIn + bytesOut),
    leftAlone: sum(({ young }) => young),
    readYoung: sum((_, { young }) => young),
    readSettled: sum((_, { settled }) => settled),
    readDropped: sum((_, { dropped }) => dropped),
  };
}

interface ReadRepairs {
  readonly young: number;
  readonly settled: number;
  readonly dropped: number;
}

function statusOf(daemon: Daemon): Promise<LogLine> {
  const from = daemon.log.length;
  daemon.signal('SIGUSR2');
  return daemon.waitFor('status', { from });
}

/**
 * Every node meets all others about every partition, now; answers how many records that has moved. 0: the trees of all
 * owners are equal.
 */
export async function meetAll(daemons: readonly Daemon[]): Promise<number> {
  const before = await repairFigures(daemons);
  for (const daemon of daemons) await repairOf(daemon, 'meet');
  return (await repairFigures(daemons)).moved - before.moved;
}
