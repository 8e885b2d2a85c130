import test from 'ava';
import { testProp, fc } from '@fast-check/ava';
import xxhash from 'xxhash-wasm';
import { hash64From } from '../../src/model/hash.js';
import {
  decodeLeaves,
  differingLeaves,
  differingNodes,
  encodeChildren,
  encodeLeaves,
  LEAF_BYTES,
  leafCountOf,
  leafIndex,
  leafStart,
  leavesEqual,
  LeafTree,
  toggleLeaf,
  treeLevel,
  treeLevels,
  treeRoot,
  WORDS_PER_LEAF,
} from '../../src/repair/merkle.js';

const HASH = hash64From(await xxhash());
const u32 = (): fc.Arbitrary<number> => fc.integer({ min: 0, max: 0xffff_ffff });
const records = (): fc.Arbitrary<{ key: number; hi: number; lo: number }[]> =>
  fc.array(fc.record({ key: u32(), hi: u32(), lo: u32() }), { maxLength: 60 });

function leavesOf(list: readonly { key: number; hi: number; lo: number }[], leafCount: number): Uint32Array {
  const leaves = new Uint32Array(leafCount * WORDS_PER_LEAF);
  for (const { key, hi, lo } of list) toggleLeaf(leaves, leafIndex(key, leafCount), hi, lo, 1);
  return leaves;
}

testProp(
  'leaves do not depend on the order, and what came and went leaves no trace',
  [records(), records()],
  (t, kept, gone) => {
    const one = leavesOf([...kept, ...gone], 256);
    for (const { key, hi, lo } of gone.toReversed()) toggleLeaf(one, leafIndex(key, 256), hi, lo, -1);
    t.true(leavesEqual(one, leavesOf(kept.toReversed(), 256)));
  },
);

testProp('stored leaves are read back as they were', [records()], (t, list) => {
  const leaves = leavesOf(list, 512);
  const bytes = new Uint8Array(256 * LEAF_BYTES);
  const back = new Uint32Array(512 * WORDS_PER_LEAF);
  for (const first of [0, 256]) {
    encodeLeaves(leaves, first, 256, bytes, 0);
    decodeLeaves(bytes, back, first, 256);
  }
  t.true(leavesEqual(leaves, back));
});

testProp(
  'trees differ exactly where leaves do, on every level',
  [records(), fc.record({ key: u32(), hi: u32(), lo: u32() })],
  (t, list, more) => {
    const a = leavesOf(list, 4_096);
    const b = leavesOf([...list, more], 4_096);
    const leaf = leafIndex(more.key, 4_096);
    t.deepEqual(differingNodes(a, b), [leaf]);
    for (let level = 1; level <= treeLevels(4_096); level++) {
      t.deepEqual(differingNodes(treeLevel(a, level, HASH), treeLevel(b, level, HASH)), [
        Math.floor(leaf / 16 ** level),
      ]);
    }
    t.notDeepEqual(treeRoot(a, HASH), treeRoot(b, HASH));
  },
);

testProp(
  'a tree that keeps its nodes is at any moment the tree of its leaves',
  [
    fc.constantFrom(256, 512, 4_096, 65_536),
    fc.array(fc.record({ key: u32(), hi: u32(), lo: u32(), isAsked: fc.boolean() }), { maxLength: 40 }),
    u32(),
  ],
  (t, leafCount, list, place) => {
    const leaves = new Uint32Array(leafCount * WORDS_PER_LEAF);
    const tree = new LeafTree(leafCount);
    for (const { key, hi, lo, isAsked } of [...list, ...list.slice(0, 5)]) {
      const leaf = leafIndex(key, leafCount);
      toggleLeaf(leaves, leaf, hi, lo, 1);
      tree.toggle(leaf, hi, lo, 1);
      if (isAsked) t.deepEqual(tree.root(HASH), treeRoot(leaves, HASH));
    }
    t.true(leavesEqual(tree.all(), leaves));
    const levels = treeLevels(leafCount);
    t.deepEqual(tree.encodeChildren(levels, [], HASH), encodeChildren(leaves, levels, [], HASH));
    for (let level = levels - 1; level >= 0; level--) {
      const parents = [...list.map(({ key }) => key), place]
        .map((key) => Math.floor(leafIndex(key, leafCount) / 16 ** (level + 1)))
        .slice(-16);
      t.deepEqual(tree.encodeChildren(level, parents, HASH), encodeChildren(leaves, level, parents, HASH));
    }
  },
);

testProp('trees differ where their leaves do', [records(), records(), records()], (t, both, one, other) => {
  const treeOf = (list: readonly { key: number; hi: number; lo: number }[]): LeafTree => {
    const tree = new LeafTree(4_096);
    for (const { key, hi, lo } of list) tree.toggle(leafIndex(key, 4_096), hi, lo, 1);
    return tree;
  };
  const [a, b] = [
    [...both, ...one],
    [...other, ...both],
  ];
  t.deepEqual(differingLeaves(treeOf(a), treeOf(b)), differingNodes(leavesOf(a, 4_096), leavesOf(b, 4_096)));
});

testProp(
  'a leaf is one stretch of the hash, within its partition',
  [u32(), fc.constantFrom(1, 2, 256, 4_096)],
  (t, hashHi, partitionCount) => {
    const leafCount = leafCountOf(partitionCount);
    const partition = Math.floor(hashHi / (2 ** 32 / partitionCount));
    const leaf = leafIndex(hashHi, leafCount);
    const start = leafStart(partition, leaf, leafCount);
    t.true(start <= hashHi && hashHi < start + 0x1000);
  },
);

test('the geometry is fixed', (t) => {
  t.is(leafCountOf(256), 4_096);
  t.is(leafCountOf(4_096), 256);
  t.is(treeLevels(256), 2);
  t.is(treeLevels(4_096), 3);
  t.is(treeLevels(1_048_576), 5);
  t.throws(() => leafCountOf(3));
  t.throws(() => leafCountOf(8_192));
});

test('the root of a small tree is these bytes, in every release', (t) => {
  const leaves = leavesOf(
    [
      { key: 0x00001000, hi: 1, lo: 2 },
      { key: 0xfff00000, hi: 0xdeadbeef, lo: 7 },
    ],
    256,
  );
  const words = [...treeRoot(leaves, HASH)].map((word) => word.toString(16));
  t.deepEqual(words, [...GOLDEN_ROOT]);
  t.deepEqual([...treeRoot(new Uint32Array(256 * WORDS_PER_LEAF), HASH)], [0, 0, 0]);
});

const GOLDEN_ROOT: readonly string[] = ['3ee5b648', '17718216', '2'];
