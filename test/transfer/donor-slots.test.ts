/* Copies that a donor keeps: so many, and not for ever. */
import test from 'ava';
import { type CopyOffer, DonorSlots } from '../../src/transfer/donor-slots.js';

const OFFER: CopyOffer = {
  fence: 0,
  bytes: 1,
  chunkBytes: 1,
  digests: new Uint8Array(8),
  digest: new Uint8Array(8),
  rootHi: 0,
  rootLo: 0,
  records: 0,
};

test('a copy is made once, found when it is there, and gone when it is closed', (t) => {
  const slots = new DonorSlots({ slotsMax: 2, silenceMs: 100 });
  const opened = slots.open(3, 77, 2, 0);
  if (opened.kind !== 'new') return t.fail();
  t.is(slots.open(3, 77, 2, 1).kind, 'copying');
  t.is(slots.find(3, 77, 1), null);
  t.true(slots.copied(opened.slot, OFFER, 2));
  t.deepEqual(slots.open(3, 77, 2, 3), { kind: 'ready', offer: OFFER });
  t.is(slots.find(3, 77, 4), opened.slot);
  t.is(slots.find(3, 78, 4), null);
  t.is(slots.close(3, 77, 2), opened.slot);
  t.is(slots.close(3, 77, 2), null);
  t.is(slots.find(3, 77, 5), null);
});

test('two who fetch one partition share a copy, and it goes with the second of them', (t) => {
  const slots = new DonorSlots({ slotsMax: 2, silenceMs: 100 });
  const opened = slots.open(3, 77, 2, 0);
  if (opened.kind !== 'new') return t.fail();
  slots.copied(opened.slot, OFFER, 1);
  t.is(slots.open(3, 77, 4, 2).kind, 'ready');
  t.is(slots.close(3, 77, 2), null);
  t.is(slots.close(3, 77, 2), null, 'said again');
  t.is(slots.find(3, 77, 3), opened.slot);
  t.is(slots.close(3, 77, 4), opened.slot);
});

test('there are so many at once, and a silent one makes room', (t) => {
  const slots = new DonorSlots({ slotsMax: 2, silenceMs: 100 });
  const [first, second] = [slots.open(1, 1, 2, 0), slots.open(2, 1, 2, 0)];
  if (first.kind !== 'new' || second.kind !== 'new') return t.fail();
  t.not(first.slot.name, second.slot.name);
  slots.copied(first.slot, OFFER, 0);
  t.deepEqual(slots.open(3, 1, 2, 50), { kind: 'full', slots: 2 });
  slots.find(1, 1, 60);
  t.deepEqual(slots.expire(150), []);
  t.deepEqual(slots.expire(160), [first.slot]);
  t.is(slots.size, 1, 'what is being copied is not forgotten');
  t.is(slots.open(3, 1, 2, 161).kind, 'new');
});

test('a copy that was closed while it was made is wanted no more, and the next has another name', (t) => {
  const slots = new DonorSlots({ slotsMax: 2, silenceMs: 100 });
  const first = slots.open(1, 1, 2, 0);
  slots.close(1, 1, 2);
  const second = slots.open(1, 1, 2, 0);
  if (first.kind !== 'new' || second.kind !== 'new') return t.fail();
  t.not(first.slot.name, second.slot.name);
  t.false(slots.copied(first.slot, OFFER, 1));
  slots.drop(first.slot);
  t.true(slots.copied(second.slot, OFFER, 1));
  slots.drop(second.slot);
  t.is(slots.size, 0);
});
