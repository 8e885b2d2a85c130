/* Asking members for their disks: who answers is heard, who does not is left out, and it ends in any case. */
import test from 'ava';
import { BUILD, FIRST_BUILD } from '../../../src/model/build.js';
import type { Failure } from '../../../src/model/errors.js';
import type { StoreRoom } from '../../../src/model/space-messages.js';
import { SpaceSurvey, SURVEY_MS, type Survey } from '../../../src/node/cluster/space-survey.js';
import type { BodyAsker } from '../../../src/node/peers/request.js';
import { PeerRequest } from '../../../src/node/peers/request.js';
import { SimulatedTime } from '../../support/simulated-time.js';
import { silentLog } from '../../support/silent.js';
import { serveTransfer } from '../../support/transfer-session.js';

const ROOM: StoreRoom = { freeBytes: 5, totalBytes: 9, keptBytes: 1, partitions: [{ partition: 3, bytes: 77 }] };

type Manner = 'answers' | 'is too old' | 'refuses' | 'is silent' | 'is not connected' | 'talks nonsense';

/** Node 1 asks; the others are as `manners` says. */
function asked(manners: ReadonlyMap<number, Manner>, knowsItself = true): { survey: Survey | null; ms: number } {
  const time = new SimulatedTime();
  const make = (self: number, fails: boolean): SpaceSurvey =>
    new SpaceSurvey({
      self,
      timers: time.scope(),
      log: silentLog,
      moves: {
        room: (done) => {
          time.after(5, () => {
            if (fails) done(new Error('No such disk'));
            else done(null, ROOM);
          });
        },
      },
      bytesPerSecond: () => 100 * self,
      links: {
        get: (ordinal) => {
          const manner = manners.get(ordinal);
          if (manner === undefined) return undefined;
          return {
            build: manner === 'is too old' ? FIRST_BUILD : BUILD,
            ask: (kind, body, timeoutMs, asker) => answer(ordinal, manner, { kind, body, timeoutMs, asker }),
          };
        },
      },
    });
  const answer = (
    ordinal: number,
    manner: Manner,
    { kind, body, timeoutMs, asker }: { kind: number; body: Uint8Array; timeoutMs: number; asker: BodyAsker },
  ): PeerRequest | null => {
    if (manner === 'is too old') throw new Error('It would end the connection');
    if (manner === 'is not connected') return null;
    if (manner === 'is silent') {
      time.after(timeoutMs, () => {
        asker.onUnanswered(ordinal, 0, 'timeout');
      });
    } else if (manner === 'talks nonsense') {
      time.after(1, () => {
        asker.onAnswered(ordinal, 0, new Uint8Array([9, 9, 9]), 0, 3);
      });
    } else {
      serveTransfer(make(ordinal, manner === 'refuses'), kind, body, (bytes, refusal: Failure | null) => {
        if (refusal === null) asker.onAnswered(ordinal, 0, bytes, 0, bytes.length);
        else asker.onRefused(ordinal, 0, refusal);
      });
    }
    return new PeerRequest();
  };
  const heard: { survey: Survey | null; ms: number } = { survey: null, ms: 0 };
  make(1, !knowsItself).ask([1, ...manners.keys()], (survey) => {
    heard.survey = survey;
    heard.ms = time.monotonicMs();
  });
  const startMs = time.monotonicMs();
  time.runUntil(() => heard.survey !== null);
  return { survey: heard.survey, ms: heard.ms - startMs };
}

test('members say what they have, each with its own rate', (t) => {
  const { survey, ms } = asked(
    new Map([
      [2, 'answers'],
      [3, 'answers'],
    ]),
  );
  t.deepEqual(
    [...(survey ?? [])].sort(([a], [b]) => a - b),
    [1, 2, 3].map((ordinal) => [ordinal, { ...ROOM, bytesPerSecond: 100 * ordinal }]),
  );
  t.true(ms < 100);
});

test('whoever does not say it is left out', (t) => {
  const { survey, ms } = asked(
    new Map<number, Manner>([
      [2, 'refuses'],
      [3, 'is not connected'],
      [4, 'talks nonsense'],
      [5, 'answers'],
      [6, 'is too old'],
    ]),
    false,
  );
  t.deepEqual([...(survey ?? new Map()).keys()], [5]);
  t.true(ms < 100);
  const silent = asked(new Map([[2, 'is silent']]));
  t.deepEqual([...(silent.survey ?? new Map()).keys()], [1]);
  t.true(silent.ms >= SURVEY_MS && silent.ms < 2 * SURVEY_MS);
});
