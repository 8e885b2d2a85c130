/* What a member says of its disk when a change of the ring is planned: what it holds, and how much more it can take. */

export interface PartitionBytes {
  readonly partition: number;
  /** About, and rather more than less: of its file, and of what is not in that yet. */
  readonly bytes: number;
}

/** Of a store and the disk that it is on. */
export interface StoreRoom {
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** With less free than this it takes no writes. */
  readonly keptBytes: number;
  /** Of all partitions of which it holds something, by number. */
  readonly partitions: readonly PartitionBytes[];
}

export interface SpaceReply extends StoreRoom {
  /** Of its background work, at most; 0: nothing holds that back. */
  readonly bytesPerSecond: number;
}
