/* What nodes tell of their load, drawn. */
import fc from 'fast-check';
import * as loads from '../../src/wire/codec-loads.js';
import { bytes, text, u32, u53 } from './arbitrary.js';
import type { Codec } from './ring-log-codecs.js';

const counts = { requests: u53, reads: u53, writes: u53, bytesRead: u53, bytesWritten: u53 };
const request = fc.record({ budgetMs: u32, windows: fc.integer({ min: 1, max: 48 }) });
const partitions = fc
  .uniqueArray(fc.record({ partition: fc.nat(4_095), ...counts }), {
    selector: ({ partition }) => partition,
    maxLength: 6,
  })
  .map((all) => all.sort((a, b) => a.partition - b.partition));
const key = fc
  .record({ key: bytes, keyBytes: u32, hashHi: u32, hashLo: u32, samples: u32, part: fc.nat(100) })
  .map(({ part, ...rest }) => ({ ...rest, overcount: Math.floor((rest.samples * part) / 100) }));
const report = fc.record({
  windows: fc.array(fc.record({ fromMs: u53, toMs: u53, ...counts }), { maxLength: 3 }),
  partitions,
  keys: fc.array(key, { maxLength: 4 }),
  sampling: fc.integer({ min: 1, max: 1_000 }),
});
const node = fc.record({ ordinal: u32, silence: text, report: fc.option(report) });

export const LOADS_CODECS: Readonly<Record<string, Codec>> = {
  Loads: { messages: request, encode: loads.encodeLoads, decode: loads.decodeLoads },
  LoadsReply: { messages: report, encode: loads.encodeLoadsReply, decode: loads.decodeLoadsReply },
  Balance: { messages: request, encode: loads.encodeBalance, decode: loads.decodeBalance },
  BalanceReply: {
    messages: fc.record({ self: u32, ring: bytes, nodes: fc.array(node, { maxLength: 3 }) }),
    encode: loads.encodeBalanceReply,
    decode: loads.decodeBalanceReply,
  },
};
