/* partita background: what background work is given on a node, to whom, and why no more (§6.5). */
import type { BackgroundReply } from '../../model/messages.js';
import { decodeBackgroundReply, encodeBackground } from '../../wire/codec-background.js';
import { BACKGROUND, BACKGROUND_REPLY } from '../../wire/kinds.js';
import { adminAddress, askAdmin } from '../admin.js';
import type { AdminOptions } from '../admin.js';
import { EXIT_DONE } from '../exit-codes.js';
import type { Io } from '../io.js';
import { formatOf, printJson, printLines, printTable } from '../output.js';
import { timeoutMsOf } from '../session.js';
import type { CommonOptions } from '../session.js';
import { bytesText } from '../sizes.js';

export type BackgroundOptions = AdminOptions & Pick<CommonOptions, 'output' | 'timeout'>;

const CAUSES: Readonly<Record<string, string>> = {
  requests: 'gets or puts are slower than their target',
  loop: 'the event loop is held up for longer than its target',
  log: "the log's syncs are slower than their target",
  near: 'something is close to its target, or was within the last minute',
  calm: 'there is room, and it grows',
  unused: 'there is room, and nobody wants more',
};

export async function runBackground(io: Io, options: BackgroundOptions): Promise<number> {
  const timeoutMs = timeoutMsOf(options);
  const reply = await askAdmin(adminAddress(io, options), timeoutMs, {
    kind: BACKGROUND,
    replyKind: BACKGROUND_REPLY,
    body: encodeBackground({ budgetMs: timeoutMs }),
    read: decodeBackgroundReply,
  });
  const format = formatOf(io, options.output);
  if (format === 'json') printJson(io, reply);
  else if (format === 'raw') printLines(io, rowsOf(reply));
  else {
    printTable(io, ['task', 'waiting', 'slices', 'bytes'], rowsOf(reply));
    for (const line of summary(reply)) io.out(`${line}\n`);
  }
  return EXIT_DONE;
}

function rowsOf({ tasks }: BackgroundReply): readonly (readonly string[])[] {
  return tasks.map(({ name, waiting, slices, bytes }) => [name, String(waiting), String(slices), String(bytes)]);
}

function summary(reply: BackgroundReply): readonly string[] {
  if (reply.bytesPerSecond === 0) return ['Nothing is held back on this node'];
  const { bytesPerSecond: now, bytesPerSecondMin: min, bytesPerSecondMax: max } = reply;
  return [
    `${bytesText(now)}/s of ${bytesText(min)}/s to ${bytesText(max)}/s: ${CAUSES[reply.cause] ?? reply.cause}`,
    `p99 of gets ${ms(reply.getsUs)}, of puts ${ms(reply.putsUs)} (target ${ms(reply.requestTargetUs)}); ` +
      `loop delay ${ms(reply.loopDelayUs)} (${ms(reply.loopDelayTargetUs)}); log sync ${ms(reply.syncUs)} (${ms(reply.syncTargetUs)})`,
  ];
}

function ms(us: number): string {
  return us === 0 ? '-' : `${(us / 1_000).toFixed(us < 10_000 ? 2 : 0)} ms`;
}
