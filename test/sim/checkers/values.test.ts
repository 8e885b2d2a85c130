/* Checkers of what clients read, on histories made up for them: each finds its own fault, and none where there is none. */
import test from 'ava';
import { checkAcknowledged } from './acknowledged.js';
import { checkDamage } from './damage.js';
import { checkExpiry } from './expiry.js';
import { checkInvented } from './invented.js';
import { KEY, MadeUp, texts } from './made-up.js';
import { checkResurrection } from './resurrection.js';
import { checkSiblings } from './siblings.js';
import { checkSingleCopy } from './single-copy.js';

test('acknowledged: a put that is gone, and that nobody read, is lost', (t) => {
  const lost = new MadeUp().put(1, 10).put(2, 20).left([2]);
  t.deepEqual(checkAcknowledged(lost).length, 1);
  t.true(texts(checkAcknowledged(lost))[0]?.includes('put 1 of client 0 was acknowledged'));
});

test('acknowledged: the server may not excuse it by a write whose client had read something else', (t) => {
  t.is(checkAcknowledged(new MadeUp().put(1, 10).put(2, 10).put(3, 30, [2]).left([3])).length, 1);
  t.is(checkAcknowledged(new MadeUp().put(1, 10).put(2, 10).put(3, 30, [1, 2]).left([3])).length, 0);
});

test('acknowledged: what replaced it must itself be accounted for', (t) => {
  const chain = (): MadeUp => new MadeUp().put(1, 10).put(2, 20, [1], { outcome: 'unknown' });
  t.is(checkAcknowledged(chain().left([])).length, 1, 'the unknown put may not both have happened and not');
  t.is(checkAcknowledged(chain().left([2])).length, 0);
  t.is(checkAcknowledged(chain().left([1])).length, 0);
  t.is(checkAcknowledged(chain().put(3, 30, [2], { kind: 'delete' }).left([])).length, 0);
  t.is(checkAcknowledged(new MadeUp().put(1, 10).put(2, 20, [1], { outcome: 'refused' }).left([])).length, 1);
});

test('acknowledged: only what was destroyed later is an excuse', (t) => {
  const history = new MadeUp().put(1, 10).left([]);
  history.doubt = 5;
  t.is(checkAcknowledged(history).length, 1);
  history.doubt = 12;
  t.is(checkAcknowledged(history).length, 0, 'its answer may have been under way');
});

test('invented: mangled values, values of nobody, of the future, and of a put that was refused', (t) => {
  t.is(checkInvented(new MadeUp().get(10, [], { faults: ['mangled'] })).length, 1);
  t.is(checkInvented(new MadeUp().get(10, [7])).length, 1);
  t.is(checkInvented(new MadeUp().put(7, 90).get(10, [7])).length, 1);
  t.is(checkInvented(new MadeUp().put(7, 1, [], { outcome: 'refused' }).get(10, [7])).length, 1);
  t.is(checkInvented(new MadeUp().put(7, 1, [], { outcome: 'unknown' }).get(10, [7])).length, 0);
});

test('resurrection: what an acknowledged write replaced is there in the end', (t) => {
  const back = new MadeUp().put(1, 10).put(2, 20, [1], { kind: 'delete' });
  t.deepEqual(checkResurrection(back.left([])), []);
  t.is(checkResurrection(back.left([1])).length, 1);
  t.is(checkResurrection(new MadeUp().put(1, 10).put(2, 20, [1], { outcome: 'unknown' }).left([1])).length, 0);
});

test('single copy: a get misses what was acknowledged before it', (t) => {
  t.is(checkSingleCopy(new MadeUp().put(1, 10).get(20, [])).length, 1);
  t.is(checkSingleCopy(new MadeUp().put(1, 10).get(12, [])).length, 0, 'the put was still under way');
  t.is(
    checkSingleCopy(new MadeUp().put(1, 10).put(2, 22, [1]).get(20, [])).length,
    0,
    'it may just have been replaced',
  );
});

test('single copy: a get shows what was replaced before it', (t) => {
  const stale = new MadeUp().put(1, 10).put(2, 20, [1]);
  t.is(checkSingleCopy(stale.get(30, [1, 2])).length, 1);
  t.is(checkSingleCopy(new MadeUp().put(1, 10).put(2, 20, [1]).get(22, [1])).length, 0);
});

test('single copy: nothing is asked of a view with replicas', (t) => {
  const evidence = new MadeUp().put(1, 10).get(20, []);
  evidence.view = { ...evidence.view, isSingleCopy: false };
  t.deepEqual(checkSingleCopy(evidence), []);
});

test('siblings: one put is shown twice', (t) => {
  t.is(checkSiblings(new MadeUp().get(10, [1, 2, 1])).length, 1);
  t.is(checkSiblings(new MadeUp().get(10, [1, 2])).length, 0);
});

test('damage: a record of which a bit flipped reads as not found', (t) => {
  const flip = { node: 0, key: KEY, atMs: 20, sinceMs: Number.NEGATIVE_INFINITY, untilMs: Number.POSITIVE_INFINITY };
  const damaged = (): MadeUp => {
    const evidence = new MadeUp().put(1, 10);
    evidence.flips.push({ ...flip });
    return evidence;
  };
  t.is(checkDamage(damaged().get(30, [])).length, 1);
  t.is(checkDamage(damaged().get(30, [1])).length, 0);
  t.is(checkDamage(damaged().put(2, 25).get(40, [2])).length, 0, 'a write over it begins anew');
  const lostDisk = damaged().get(30, []);
  for (const one of lostDisk.flips) one.untilMs = 25;
  t.is(checkDamage(lostDisk).length, 0);
});

test('expiry: shown when every clock was past its end; gone while none was', (t) => {
  // It was stamped 1,010 by a clock that may be 100 off, and lives for 50: all clocks are past that at 160.
  const expiring = (): MadeUp => new MadeUp().put(1, 10, [], { ttlMs: 50 }).mint(1, 1, { wallMs: 1_010 });
  t.is(checkExpiry(expiring().get(155, [1])).length, 0);
  t.is(checkExpiry(expiring().get(170, [1])).length, 1);
  t.is(checkExpiry(expiring().mint(1, 2, { wallMs: 1_100 }).get(170, [1])).length, 0, 'minted again, later');
  t.is(checkExpiry(new MadeUp().put(1, 10).mint(1, 1, { wallMs: 1_010 }).get(170, [1])).length, 0, 'it never expires');
  const long = (): MadeUp => new MadeUp().put(1, 10, [], { ttlMs: 500 }).mint(1, 1, { wallMs: 1_010 });
  t.is(checkSingleCopy(long().get(300, [])).length, 1);
  t.is(checkSingleCopy(long().get(420, [])).length, 0);
  const late = (endMs: number): number => {
    const evidence = long().left([]);
    evidence.endMs = endMs;
    return checkAcknowledged(evidence).length;
  };
  t.deepEqual([late(300), late(420)], [1, 0]);
});
