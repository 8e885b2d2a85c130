/*
 * A control group of our own, version 1 or 2, that processes enter as they start: how much memory they may have, or how
 * much of a core. Where none can be made (no root, controller not mounted) there is none, and whoever asked says so.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = '/sys/fs/cgroup';
/** Short, so that a server that has used its share waits for milliseconds and not for a tenth of a second. */
const CPU_PERIOD_US = 10_000;

class Cgroup {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Words that enter the group and become the command behind them. */
  get prefix(): readonly string[] {
    return ['sh', '-c', `echo $$ > ${join(this.#folder, 'cgroup.procs')} && exec "$0" "$@"`];
  }

  /** When every process in it has ended. */
  remove(): void {
    rmdirSync(this.#folder);
  }

  protected write(file: string, text: string): void {
    writeFileSync(join(this.#folder, file), text);
  }

  protected read(file: string): string {
    return readFileSync(join(this.#folder, file), 'utf8');
  }
}

/** The first folder below which a group with that file can be made, and whether it is version 2. */
function makeFolder(name: string, controller: string, fileV1: string, fileV2: string): [string, boolean] | undefined {
  for (const [root, file] of [
    [join(ROOT, controller), fileV1],
    [ROOT, fileV2],
  ] as const) {
    const folder = join(root, `partita-${name}-${process.pid}`);
    try {
      mkdirSync(folder);
    } catch {
      continue; // not mounted, or not ours to change
    }
    if (existsSync(join(folder, file))) return [folder, file === fileV2];
    rmdirSync(folder);
  }
  return undefined;
}

export class MemoryGroup extends Cgroup {
  readonly #file: string;

  private constructor(folder: string, file: string) {
    super(folder);
    this.#file = file;
  }

  static make(name: string): MemoryGroup | undefined {
    const made = makeFolder(name, 'memory', 'memory.limit_in_bytes', 'memory.max');
    return made && new MemoryGroup(made[0], made[1] ? 'memory.max' : 'memory.limit_in_bytes');
  }

  limit(bytes: number): void {
    this.write(this.#file, String(bytes));
  }

  get limitBytes(): number {
    return Number(this.read(this.#file));
  }
}

export class CpuGroup extends Cgroup {
  readonly #isV2: boolean;

  private constructor(folder: string, isV2: boolean) {
    super(folder);
    this.#isV2 = isV2;
  }

  static make(name: string): CpuGroup | undefined {
    const made = makeFolder(name, 'cpu', 'cpu.cfs_quota_us', 'cpu.max');
    return made && new CpuGroup(...made);
  }

  /** Its processes come before everything else that the machine does; niceness alone counts within a session only. */
  first(): void {
    if (this.#isV2) this.write('cpu.weight', '10000');
    else this.write('cpu.shares', '262144');
  }

  /** All processes of the group together: `share` of one core, 0..1; undefined: as much as they want. */
  limit(share: number | undefined): void {
    const quotaUs = share === undefined ? undefined : Math.round(share * CPU_PERIOD_US);
    if (this.#isV2) {
      this.write('cpu.max', `${quotaUs ?? 'max'} ${CPU_PERIOD_US}`);
      return;
    }
    // The quota first goes: a period that makes it more than the parent's is refused.
    this.write('cpu.cfs_quota_us', '-1');
    this.write('cpu.cfs_period_us', String(CPU_PERIOD_US));
    if (quotaUs !== undefined) this.write('cpu.cfs_quota_us', String(quotaUs));
  }
}
