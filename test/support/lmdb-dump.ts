/*
 * Partition files as the stock tools of LMDB see them (Debian: lmdb-utils), while a node has them open or not.
 *
 * They look through a symbolic link in a folder of its own. Their lock table (0.9.24) is laid out otherwise than that of
 * node-lmdb (0.9.70), and either refuses the other's: MDB_VERSION_MISMATCH. Beside the link they make a table of their
 * own and leave the node's alone. The node then knows nothing of such a reader and may reuse pages under it, so a look
 * counts only if the last transaction was the same before and after.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';

export interface DumpedEntry {
  readonly key: Buffer;
  readonly value: Buffer;
}

const ATTEMPTS_MAX = 25;

/** Why the tools cannot be asked, or null. */
export function lmdbToolsFault(): string | null {
  const missing = ['mdb_stat', 'mdb_dump'].filter((tool) => spawnSync(tool, ['-V']).error !== undefined);
  return missing.length === 0 ? null : `needs ${missing.join(' and ')} (apt install lmdb-utils)`;
}

/** `Name: number` lines: Entries, Tree depth, Last transaction ID … */
type FileStat = ReadonlyMap<string, number>;

function statLink(link: string): FileStat {
  const text = execFileSync('mdb_stat', ['-n', '-e', link], { encoding: 'utf8', stdio: 'pipe' });
  return new Map([...text.matchAll(/^\s*([A-Z][^:]*): (\d+)$/gm)].map((match) => [match[1] ?? '', Number(match[2])]));
}

/** What `look` makes of the file while it stands still. */
function lookAt<T>(path: string, look: (link: string, stat: FileStat) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'partita-mdb-'));
  const link = join(folder, basename(path));
  symlinkSync(resolve(path), link);
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        const before = statLink(link);
        const seen = look(link, before);
        if (statLink(link).get('Last transaction ID') === before.get('Last transaction ID')) return seen;
      } catch (error) {
        if (attempt >= ATTEMPTS_MAX) throw error;
      }
      if (attempt >= ATTEMPTS_MAX) throw new Error(`${path} does not stand still`);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function statFile(path: string): FileStat {
  return lookAt(path, (_link, stat) => stat);
}

export function dumpFile(path: string): readonly DumpedEntry[] {
  return lookAt(path, dumpLink);
}

function dumpLink(link: string): readonly DumpedEntry[] {
  const text = execFileSync('mdb_dump', ['-n', link], { encoding: 'latin1', maxBuffer: 2 ** 30, stdio: 'pipe' });
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
