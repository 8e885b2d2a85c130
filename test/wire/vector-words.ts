/* What the golden frames of protocol/vectors have in common: the same node, key and put, told again and again. */
import type { Failure } from '../../src/model/errors.js';

export const NODE: string = '000102030405060708090a0b0c0d0e0f';
export const OTHER_NODE: string = '0f0e0d0c0b0a09080706050403020100';
export const CLUSTER_ID: string = 'ffeeddccbbaa99887766554433221100';
export const NONCE: string = `0x${'a1'.repeat(32)}`;
export const OTHER_NONCE: string = `0x${'b2'.repeat(32)}`;
/**
 * The proofs that belong to the connection of the vectors, made with the secret `0123456789abcdef` by other software:
 * test/node/peers/proof.test.ts holds the code to them.
 */
export const ACCEPTOR_PROOF: string = '0x523602bcb9dc10529c871ad07a86b0b9dff130cda8f142fa0c60743322f5a8bc';
export const DIALER_PROOF: string = '0x5eac1688a4956205fe3010a30e1186ecdf16aa67a53101afae2062e31b07c7f7';
export const PUT_ID: string = '0x65f0a0b00123456789abcdef';
export const WRITTEN: number = 1_710_268_592_123;
export const ORIGIN: Readonly<Record<string, unknown>> = {
  nodeId: NODE,
  ringVersion: 3,
  acked: 1,
  durable: true,
  sloppy: false,
  owners: [],
  fallbacks: [],
  fastest: 0,
};
/** Of a ring of several: who answered. */
export const ORIGINS: Readonly<Record<string, unknown>> = {
  ...ORIGIN,
  acked: 2,
  sloppy: true,
  owners: [1, 300],
  fallbacks: [4],
  fastest: 300,
};
export const HEAD: Readonly<Record<string, unknown>> = { budgetMs: 1_000, namespace: '', ringVersion: 3 };
/** Looks like one, is none: contexts are opaque to whoever reads these files. */
export const CONTEXT: string = '0xc0ffee';
export const PUT: Readonly<Record<string, unknown>> = {
  key: '0x757365723a31',
  value: '0x68656c6c6f',
  context: '0x',
  putId: PUT_ID,
  retry: false,
  ...HEAD,
  w: 0,
  strict: false,
  durable: false,
  ttlMs: 0,
  returnSiblings: false,
  sentMs: 0,
};
export const STAMP: Readonly<Record<string, unknown>> = { ringVersion: 3, fence: 4 };
export const STORE: Readonly<Record<string, unknown>> = { partition: 77, ...STAMP, budgetMs: 900, record: '0xdecade' };
export const DELETE: Readonly<Record<string, unknown>> = { ...PUT, value: undefined };
export const failed = (code: Failure['code'], text: string, retryable: boolean, outcomeUnknown: boolean): object => ({
  code,
  text,
  retryable,
  outcomeUnknown,
  ringVersion: 3,
});

export type Row = readonly [name: string, what: string, kind: number, requestId: number, message: unknown];
