import test from 'ava';
import { copyBytes } from '../../src/lib/bytes.js';

test('A copy of a Buffer is a copy', (t) => {
  const source = Buffer.from([1, 2, 3, 4]);
  const copy = copyBytes(source, 1, 3);
  source.fill(9);
  t.deepEqual([...copy], [2, 3]);
  t.deepEqual([...copyBytes(new Uint8Array([5, 6]))], [5, 6]);
});
