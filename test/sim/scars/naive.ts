/*
 * What each script of support/scars would have caught: the bug under which it finds something amiss (names of
 * mutants/). A script that passes with its bug planted says nothing when it passes without.
 */
export const NAIVE: Readonly<Record<string, string>> = {
  'lost ack, retry elsewhere': 'one-put-shown-twice',
  'lost ack, and the node killed': 'overwritten-shown',
  'two writers in turn': 'context-ignored',
  'one who reads first': 'context-ignored',
  'those who never read': 'sibling-lost-in-merge',
  'the fallback that forgot': 'actor-is-node',
  'the fallback that heard again': 'mint-by-own-entry',
  'kv679: a blind put after the loss': 'actor-is-node',
  'kv679: an old context after the loss': 'actor-is-node',
  'kv679: a tombstone before the loss': 'actor-is-node',
  'kv679: alone after the loss': 'actor-is-node',
  'kv679: put back from a backup': 'actor-is-node',
  'a put on what a put was told': 'context-of-unread',
  'one of three hints has gone home': 'copy-dropped-too-soon',
  'a retry where the put never was': 'read-ids-forgotten',
};
