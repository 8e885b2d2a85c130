/* How much room a member has, by protobufjs both ways: asked when somebody plans a change of the ring. */
import type { SpaceReply } from '../model/space-messages.js';
import { PARTITIONS_MAX } from '../model/limits.js';
import { bad, count53, decodeBy, limited, partitionIn } from './plain.js';
import { partita } from './protobuf.js';
import type { DecodeFault } from './requests.js';

const v1 = partita.v1;

export interface SpaceAsked {
  readonly budgetMs: number;
}

export function encodeSpace(asked: SpaceAsked): Uint8Array {
  return v1.Space.encode(asked).finish();
}

export function decodeSpace(bytes: Uint8Array, start: number, end: number): SpaceAsked | DecodeFault {
  return decodeBy(v1.Space, bytes, start, end, ({ budgetMs }) => ({ budgetMs }));
}

export function encodeSpaceReply({ partitions, ...rest }: SpaceReply): Uint8Array {
  return v1.SpaceReply.encode({
    ...rest,
    partitions: partitions.map(({ partition }) => partition),
    partitionBytes: partitions.map(({ bytes }) => bytes),
  }).finish();
}

export function decodeSpaceReply(bytes: Uint8Array, start: number, end: number): SpaceReply | DecodeFault {
  return decodeBy(v1.SpaceReply, bytes, start, end, (reply) => {
    const { partitions, partitionBytes } = reply;
    limited(partitions, PARTITIONS_MAX, 'partitions');
    if (partitionBytes.length !== partitions.length)
      bad(`The bytes of ${partitionBytes.length} partitions, and there are ${partitions.length}`);
    return {
      freeBytes: count53(reply.freeBytes),
      totalBytes: count53(reply.totalBytes),
      keptBytes: count53(reply.keptBytes),
      bytesPerSecond: count53(reply.bytesPerSecond),
      partitions: partitions.map((partition, i) => ({
        partition: partitionIn(partition),
        bytes: count53(partitionBytes[i] ?? 0),
      })),
    };
  });
}
