/*
 * The plug is pulled under load: the daemon is frozen, its file system (ext4 and xfs on loop devices) forgets everything
 * that was not synced, the daemon is killed, the file system mounted again and the daemon started on what is left. With
 * `durability = always` no acknowledged write may be gone.
 *
 * Two controls show that the test can fail: a daemon whose disk never syncs (a switch that only tests have), and one that
 * says `interval:60s` and is believed. Both must lose. Needs root.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Prng } from '../../src/lib/prng.js';
import { Daemon, type DaemonOptions } from '../support/daemon.js';
import { countByKind, faultRounds, showViolations, type RoundsResult, type Target } from '../support/fault-rounds.js';
import { loopFault, LoopFileSystem, type FileSystemType } from '../support/faults/loop-file-system.js';
import { freeze } from '../support/faults/processes.js';
import type { Violation } from '../support/history.js';
import { inScope } from '../support/scope.js';
import { SMALL_STORE } from './crash.js';
import type { Proof } from './proof.js';

const TYPES: readonly FileSystemType[] = ['ext4', 'xfs'];
const DISK_MIB = 768;
const CONTROL_ROUNDS_MAX = 5;

class UnpluggedDaemon implements Target {
  readonly daemon: Daemon;
  readonly #disk: LoopFileSystem;

  constructor(disk: LoopFileSystem, options: DaemonOptions) {
    this.#disk = disk;
    const dataDir = join(disk.path, 'data');
    mkdirSync(dataDir);
    this.daemon = Daemon.prepare({ ...options, dataDir, readyTimeoutMs: 60_000 });
  }

  async start(): Promise<string> {
    return (await this.daemon.start()).client;
  }

  async strike(): Promise<void> {
    await freeze(this.daemon.pid);
    this.#disk.pullPlug();
    await this.daemon.kill();
    this.#disk.unmount();
    this.#disk.mount();
  }

  async stop(): Promise<void> {
    await this.daemon.stop();
  }
}

interface Course {
  readonly name: string;
  readonly type: FileSystemType;
  readonly rounds: number;
  readonly seed: number;
  readonly options: DaemonOptions;
  /** A control is over when it has lost something. */
  readonly isControl: boolean;
}

function run(course: Course, print: (line: string) => void): Promise<RoundsResult> {
  const { name, type, rounds, seed, options, isControl } = course;
  return inScope(async (scope) => {
    const target = new UnpluggedDaemon(new LoopFileSystem(scope, type, DISK_MIB), options);
    scope.defer('end the daemon', () => target.daemon.signal('SIGKILL'));
    try {
      const result = await faultRounds(target, {
        rounds,
        prng: new Prng(seed),
        load: { seed, keys: 1_000, connections: 4, depth: 8, valueBytesMax: 4_096 },
        loadMs: [100, 1_200],
        ...(isControl ? { enough: (violations) => violations.some(isLoss) } : {}),
        onRound: (_round, _load, found) => {
          if (!isControl) showViolations(found, print);
        },
      });
      const { counts } = result.load;
      print(
        `${name} on ${type}: ${result.rounds} cuts, ${counts.acked} acked, ${counts.unknown} unknown, ` +
          `found ${countByKind(result.violations)}; slowest start ${Math.round(result.startMsMax)} ms`,
      );
      return result;
    } catch (error) {
      for (const line of target.daemon.transcript(15).split('\n')) print(`| ${line.slice(0, 500)}`);
      throw error;
    } finally {
      await target.daemon.dispose();
    }
  });
}

/** Gone, or no longer to be read: a store that knows what it lost has lost it all the same. */
const isLoss = ({ kind }: Violation): boolean => kind === 'lost' || kind === 'unreadable';
const losses = (result: RoundsResult): number => result.violations.filter(isLoss).length;

export const prove: Proof = {
  name: 'power-loss',
  question: 'Does a power cut lose an acknowledged write?',
  async run({ full, print }) {
    const fault = TYPES.map(loopFault).find((one) => one !== null);
    if (fault !== undefined) return { held: false, summary: `skipped: ${fault}` };
    const seed = Date.now() >>> 0;
    const rounds = full ? 50 : 5;
    print(`seed ${seed}, ${rounds} cuts a file system, partitad ${SMALL_STORE.join(' ')}`);
    let acked = 0;
    let violations = 0;
    let lost = 0;
    for (const type of TYPES) {
      const result = await run(
        { name: 'always', type, rounds, seed, options: { flags: SMALL_STORE }, isControl: false },
        print,
      );
      acked += result.load.counts.acked;
      violations += result.violations.length;
      lost += losses(result);
    }
    // A store that finds damage does not start unless it is told to.
    const flags = [...SMALL_STORE, '--accept-loss'];
    const withoutSync: DaemonOptions = { flags, env: { NODE_ENV: 'test', PARTITA_TEST_SYNC: 'off' } };
    const interval: DaemonOptions = { flags: [...flags, '--durability', 'interval:60s'] };
    let controlsLose = true;
    for (const type of TYPES) {
      for (const [name, options] of [
        ['control without sync', withoutSync],
        ['control interval:60s', interval],
      ] as const) {
        const result = await run({ name, type, rounds: CONTROL_ROUNDS_MAX, seed, options, isControl: true }, print);
        controlsLose &&= losses(result) > 0;
      }
    }
    return {
      held: violations === 0 && acked > 2 * rounds && controlsLose,
      summary:
        `${2 * rounds} cuts on ext4 and xfs, ${acked} writes acked, ${lost} lost, ${violations} violations; ` +
        `without sync writes are ${controlsLose ? 'lost, as they must' : 'NOT lost: the test proves nothing'}`,
    };
  },
};
