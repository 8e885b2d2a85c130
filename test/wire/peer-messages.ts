/* The messages of peers, as tests handle them all alike: made, written, read, and by protobufjs's lights. */
import fc from 'fast-check';
import { READ_STATES, STORE_REASONS } from '../../src/model/peer-messages.js';
import * as kinds from '../../src/wire/kinds.js';
import { partita, type Reader } from '../../src/wire/protobuf.js';
import * as read from '../../src/wire/read-peer.js';
import * as write from '../../src/wire/write-peer.js';
import { bytes, text, u32, u53 } from './arbitrary.js';

const v1 = partita.v1;

export type Fields = Readonly<Record<string, unknown>>;

/** A message of ours: how it is made, written and read, and protobufjs's opinion of it. */
export interface Subject {
  readonly kind: number;
  readonly arbitrary: fc.Arbitrary<Fields>;
  readonly type: { decode(reader: Reader): unknown; encode(fields: never): { finish(): Uint8Array } };
  /** Size of the frame, and what writing returned. */
  readonly write: (target: Uint8Array, at: number, requestId: number, fields: never) => number;
  readonly size: (fields: never) => number;
  /** The fields in a plain form, or undefined where it cannot be read. */
  readonly read: (body: Uint8Array, start: number, end: number) => Fields | undefined;
}

const storeView = new read.StoreView();
const storeReplyView = new read.StoreReplyView();
const readView = new read.ReadView();
const readReplyView = new read.ReadReplyView();
const forwardView = new read.ForwardView();
const forwardReplyView = new read.ForwardReplyView();

const cut = (view: { bytes: Uint8Array }, span: { start: number; end: number }): Uint8Array =>
  view.bytes.subarray(span.start, span.end);

/** All but the frame that the view lies over. */
const fieldsOf = (view: object): Fields =>
  Object.fromEntries(Object.entries(view).filter(([name]) => name !== 'bytes'));

export const SUBJECTS: Readonly<Record<string, Subject>> = {
  store: {
    kind: kinds.STORE,
    arbitrary: fc.record({
      partition: u32,
      ringVersion: u32,
      budgetMs: u32,
      hintFor: u32,
      fence: u53,
      durable: fc.boolean(),
      reason: fc.constantFrom(...STORE_REASONS),
      record: bytes,
    }),
    type: v1.Store,
    size: ({ record, ...head }: Parameters<typeof write.writeStoreFrame>[3] & { record: Uint8Array }) =>
      write.sizeOfStoreFrame(head, record.length),
    write: (
      target,
      at,
      id,
      { record, ...head }: Parameters<typeof write.writeStoreFrame>[3] & { record: Uint8Array },
    ) => {
      const around = Buffer.concat([Buffer.alloc(2, 0xcc), record, Buffer.alloc(1, 0xcc)]);
      return write.writeStoreFrame(target, at, id, head, around, 2, 2 + record.length);
    },
    read: (body, start, end) => {
      if (read.decodeStoreInto(storeView, body, start, end) !== '') return undefined;
      return { ...fieldsOf(storeView), record: cut(storeView, storeView.record) };
    },
  },
  'store reply': {
    kind: kinds.STORE_REPLY,
    arbitrary: fc.record({ ringVersion: u32, fence: u53, durable: fc.boolean(), hinted: fc.boolean() }),
    type: v1.StoreReply,
    size: write.sizeOfStoreReplyFrame,
    write: write.writeStoreReplyFrame,
    read: (...body) => (read.decodeStoreReplyInto(storeReplyView, ...body) === '' ? { ...storeReplyView } : undefined),
  },
  read: {
    kind: kinds.READ,
    arbitrary: fc.record({ key: bytes, partition: u32, ringVersion: u32, budgetMs: u32 }),
    type: v1.Read,
    size: write.sizeOfReadFrame,
    write: write.writeReadFrame,
    read: (...body) => {
      if (read.decodeReadInto(readView, ...body) !== '') return undefined;
      return { ...fieldsOf(readView), key: cut(readView, readView.key) };
    },
  },
  'read reply': {
    kind: kinds.READ_REPLY,
    arbitrary: fc.record({
      state: fc.constantFrom(...READ_STATES),
      ringVersion: u32,
      fence: u53,
      reason: text,
      record: bytes,
    }),
    type: v1.ReadReply,
    size: ({ record, ...head }: Parameters<typeof write.writeReadReplyFrame>[3] & { record: Uint8Array }) =>
      write.sizeOfReadReplyFrame(head, record.length),
    write: (
      target,
      at,
      id,
      { record, ...head }: Parameters<typeof write.writeReadReplyFrame>[3] & { record: Uint8Array },
    ) => write.writeReadReplyFrame(target, at, id, head, record, 0, record.length),
    read: (...body) => {
      if (read.decodeReadReplyInto(readReplyView, ...body) !== '') return undefined;
      return { ...fieldsOf(readReplyView), record: cut(readReplyView, readReplyView.record) };
    },
  },
  forward: {
    kind: kinds.FORWARD,
    arbitrary: fc.record({ kind: u32, budgetMs: u32, ringVersion: u32, sentMs: fc.maxSafeNat(), body: bytes }),
    type: v1.Forward,
    size: write.sizeOfForwardFrame,
    write: write.writeForwardFrame,
    read: (...body) => {
      if (read.decodeForwardInto(forwardView, ...body) !== '') return undefined;
      return { ...fieldsOf(forwardView), body: cut(forwardView, forwardView.body) };
    },
  },
  'forward reply': {
    kind: kinds.FORWARD_REPLY,
    arbitrary: fc.record({ kind: u32, body: bytes }),
    type: v1.ForwardReply,
    size: ({ kind, body }: { kind: number; body: Uint8Array }) => write.sizeOfForwardReplyFrame(kind, body.length),
    write: (target, at, id, { kind, body }: { kind: number; body: Uint8Array }) =>
      write.writeForwardReplyFrame(target, at, id, kind, body, 0, body.length),
    read: (...body) => {
      if (read.decodeForwardReplyInto(forwardReplyView, ...body) !== '') return undefined;
      return { kind: forwardReplyView.kind, body: cut(forwardReplyView, forwardReplyView.body) };
    },
  },
};

export function frameOfSubject(subject: Subject, fields: Fields, requestId: number): Uint8Array {
  const frame = new Uint8Array(subject.size(fields as never));
  subject.write(frame, 0, requestId, fields as never);
  return frame;
}
