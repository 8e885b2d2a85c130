/** A partition file of memory as bytes on the simulated disk, so that it can be sent, cut off, and found damaged. */
export type Commit = ReadonlyMap<string, Uint8Array>;

const MAGIC = Buffer.from('memory-file\n', 'latin1');

export function encodeCommit(commit: Commit): Buffer {
  const parts: Buffer[] = [MAGIC];
  const head = Buffer.alloc(4);
  head.writeUInt32BE(commit.size);
  parts.push(head);
  for (const [key, value] of [...commit].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const sizes = Buffer.alloc(8);
    sizes.writeUInt32BE(key.length, 0);
    sizes.writeUInt32BE(value.length, 4);
    parts.push(sizes, Buffer.from(key, 'latin1'), Buffer.from(value));
  }
  return Buffer.concat(parts);
}

/** null: these bytes are none. */
export function decodeCommit(bytes: Buffer): Commit | null {
  if (bytes.length < MAGIC.length + 4 || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) return null;
  const commit = new Map<string, Uint8Array>();
  let at = MAGIC.length + 4;
  for (let left = bytes.readUInt32BE(MAGIC.length); left > 0; left--) {
    if (at + 8 > bytes.length) return null;
    const [keyBytes, valueBytes] = [bytes.readUInt32BE(at), bytes.readUInt32BE(at + 4)];
    const valueAt = at + 8 + keyBytes;
    if (valueAt + valueBytes > bytes.length) return null;
    commit.set(bytes.toString('latin1', at + 8, valueAt), Buffer.from(bytes.subarray(valueAt, valueAt + valueBytes)));
    at = valueAt + valueBytes;
  }
  return at === bytes.length ? commit : null;
}
