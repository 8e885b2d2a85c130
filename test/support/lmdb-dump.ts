/* Partition files as the stock tools of LMDB see them (Debian: lmdb-utils), while a node has them open or not. */
import { execFileSync, spawnSync } from 'node:child_process';

export interface DumpedEntry {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** Why the tools cannot be asked, or null. */
export function lmdbToolsFault(): string | null {
  const missing = ['mdb_stat', 'mdb_dump'].filter((tool) => spawnSync(tool, ['-V']).error !== undefined);
  return missing.length === 0 ? null : `needs ${missing.join(' and ')} (apt install lmdb-utils)`;
}

/** `Name: number` lines of `mdb_stat -n`: Entries, Tree depth, Leaf pages … */
export function statFile(path: string): ReadonlyMap<string, number> {
  const text = execFileSync('mdb_stat', ['-n', path], { encoding: 'utf8' });
  return new Map([...text.matchAll(/^\s*([A-Z][^:]*): (\d+)$/gm)].map((match) => [match[1] ?? '', Number(match[2])]));
}

export function dumpFile(path: string): readonly DumpedEntry[] {
  const text = execFileSync('mdb_dump', ['-n', path], { encoding: 'latin1', maxBuffer: 2 ** 30 });
  const lines = text
    .slice(text.indexOf('HEADER=END\n') + 11)
    .split('\n')
    .filter((line) => line.startsWith(' '));
  const bytes = lines.map((line) => Buffer.from(line.slice(1), 'hex'));
  const entries: DumpedEntry[] = [];
  for (let i = 0; i + 1 < bytes.length; i += 2)
    entries.push({ key: bytes[i] ?? Buffer.alloc(0), value: bytes[i + 1] ?? Buffer.alloc(0) });
  return entries;
}

/** Entries that hold a record: marker 0x01 (the key itself) or 0x02 (its digest) behind the hash. */
export function isRecordEntry(entry: DumpedEntry): boolean {
  return entry.key.length > 9 && (entry.key[8] === 1 || entry.key[8] === 2);
}
