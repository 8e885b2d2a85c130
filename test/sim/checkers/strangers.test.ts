/* The checker of what nodes hold that own nothing of it, on evidence made up for it. */
import test from 'ava';
import { KEY, MadeUp, putIdOf, texts } from './made-up.js';
import { checkStrangers } from './strangers.js';

const came = { node: 3, key: KEY, putId: putIdOf(1), atMs: 20 };

test('strangers: nothing says whom a put is for that came to a node which is no owner', (t) => {
  const evidence = new MadeUp().put(1, 10);
  t.deepEqual(checkStrangers(evidence), []);
  evidence.strangers = { unhinted: [came], dropped: [] };
  t.deepEqual(texts(checkStrangers(evidence)), [
    `put ${putIdOf(1)} came to node 3 at 20 ms, which is no owner, and is kept for nobody`,
  ]);
});

test('strangers: a node drops what one of the owners has never had', (t) => {
  const dropped = (evidence: MadeUp, lacking: readonly number[]): readonly string[] => {
    evidence.strangers = { unhinted: [], dropped: [{ ...came, lacking }] };
    return texts(checkStrangers(evidence));
  };
  const put = (): MadeUp => new MadeUp().put(1, 10);
  t.deepEqual(dropped(put(), []), []);
  t.deepEqual(dropped(put(), [1, 2]), ['node 3 dropped put 1 at 20 ms, and nodes 1,2 own it and have never had it']);
  t.is(dropped(new MadeUp().put(1, 10, [], { outcome: 'unknown' }), [1]).length, 1, 'it happened: it was there');
  t.deepEqual(dropped(put().put(2, 15, [1]), [1]), [], 'it may have been replaced');
  t.deepEqual(dropped(new MadeUp().put(1, 10, [], { ttlMs: 5 }), [1]), []);
});
