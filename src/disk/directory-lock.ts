/*
 * One daemon a data directory.
 *
 * The lock is the kernel's: flock(2) on `lock`, an open file of ours. It follows the file, not its path, so a symbolic
 * link, a bind mount or another container on the same kernel meets the same lock; it goes with the last descriptor,
 * so neither kill -9 nor a power cut leaves it behind; a reused pid means nothing to it. Node has no flock, but locks
 * of this kind belong to the open file, and a child shares it: flock(1) of util-linux (or busybox) locks the
 * descriptor that it inherits, ends, and the lock stays with us.
 *
 * Where there is no flock(1) the file's text decides: pid, its start time and the boot it belongs to. A process with
 * that pid and start time in this boot is alive and owns the directory. This is weaker: it cannot see into other pid
 * namespaces, and two that start in the same moment may both pass; `kind` says which one it is.
 *
 * The text is also how the refusal names the owner.
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';

const LOCK_NAME = 'lock';
const TAKEN_STATUS = 1;

export class DirectoryLockedError extends Error {
  readonly code = 'LOCKED';
  readonly ownerPid: number | null;
  constructor(directory: string, ownerPid: number | null) {
    const owner = ownerPid === null ? 'another process' : `process ${ownerPid}`;
    super(
      `${directory} is in use by ${owner}: one data directory serves one partitad; stop the other one, or give this one a directory of its own`,
    );
    this.ownerPid = ownerPid;
  }
}

export interface DirectoryLock {
  /** `kernel`: as strong as flock. `process`: by pid and start time only. */
  readonly kind: 'kernel' | 'process';
  release(): void;
}

interface Owner {
  readonly pid: number;
  readonly startTime: string;
  readonly bootId: string;
}

/** Takes the directory for this process; throws DirectoryLockedError. `flockCommand` is for tests. */
export function lockDirectory(directory: string, flockCommand = 'flock'): DirectoryLock {
  const fd = fs.openSync(join(directory, LOCK_NAME), fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600);
  try {
    const kind = lockFile(fd, directory, flockCommand);
    writeOwner(fd);
    return {
      kind,
      release: () => {
        fs.ftruncateSync(fd, 0);
        fs.closeSync(fd);
      },
    };
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
}

function lockFile(fd: number, directory: string, flockCommand: string): DirectoryLock['kind'] {
  const flock = spawnSync(flockCommand, ['-x', '-n', '3'], {
    stdio: ['ignore', 'ignore', 'pipe', fd],
    timeout: 10_000,
  });
  if (flock.status === 0) return 'kernel';
  const owner = readOwner(fd);
  if (flock.status === TAKEN_STATUS) throw new DirectoryLockedError(directory, owner?.pid ?? null);
  if (owner !== null && isAlive(owner)) throw new DirectoryLockedError(directory, owner.pid);
  return 'process';
}

function writeOwner(fd: number): void {
  const owner: Owner = { pid: process.pid, startTime: startTimeOf(process.pid) ?? '', bootId: bootId() };
  const text = `${JSON.stringify(owner)}\n`;
  fs.ftruncateSync(fd, 0);
  fs.writeSync(fd, text, 0);
}

function readOwner(fd: number): Owner | null {
  const bytes = Buffer.alloc(512);
  const length = fs.readSync(fd, bytes, 0, bytes.length, 0);
  try {
    const owner = JSON.parse(bytes.toString('utf8', 0, length)) as Partial<Owner> | null;
    if (typeof owner?.pid !== 'number' || typeof owner.startTime !== 'string' || typeof owner.bootId !== 'string')
      return null;
    return { pid: owner.pid, startTime: owner.startTime, bootId: owner.bootId };
  } catch {
    return null; // empty, or half-written when the machine went down: nobody's
  }
}

function isAlive(owner: Owner): boolean {
  return owner.bootId === bootId() && startTimeOf(owner.pid) === owner.startTime;
}

/** Field 22 of /proc/PID/stat, in ticks since the boot; the name before it may hold spaces and parentheses. */
function startTimeOf(pid: number): string | null {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null; // no such process
  }
}

function bootId(): string {
  try {
    return fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}
