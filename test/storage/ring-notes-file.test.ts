/* Notes are kept in two slots, and a file that cannot be read costs nothing but them. */
import test from 'ava';
import { Prng } from '../../src/lib/prng.js';
import { run } from '../../src/lib/flow.js';
import { RingNotesFile } from '../../src/storage/ring-notes-file.js';
import { finish, HASH } from '../support/log-world.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import { SimulatedTime } from '../support/simulated-time.js';

const SLOT_BYTES = 262_144;

interface Scene {
  readonly time: SimulatedTime;
  readonly disk: SimulatedDisk;
}

function scene(): Scene {
  const time = new SimulatedTime();
  const disk = new SimulatedDisk({ timers: time, random: new Prng(1) });
  let made = false;
  disk.makeFolder('ring', () => {
    made = true;
  });
  time.runUntil(() => made);
  return { time, disk };
}

const open = ({ time, disk }: Scene): RingNotesFile => finish(time, RingNotesFile.open(disk, HASH));

function save({ time }: Scene, file: RingNotesFile, notes: Uint8Array): Error | null {
  let answer: Error | null | undefined;
  file.save(notes, (error) => {
    answer = error;
  });
  time.runUntil(() => answer !== undefined);
  return answer ?? null;
}

test('What was saved last is there at the next start', (t) => {
  const world = scene();
  const file = open(world);
  t.is(file.kept, null);
  t.is(save(world, file, Buffer.from('one')), null);
  t.is(save(world, file, Buffer.from('two')), null);
  t.is(Buffer.from(open(world).kept ?? []).toString(), 'two');
});

test('A file of which nothing can be read is made anew', (t) => {
  const world = scene();
  t.is(save(world, open(world), Buffer.from('one')), null);
  let isWritten = false;
  const damage = function* (): Generator<(done: (error: Error | null, value?: unknown) => void) => void, void> {
    const handle = (yield (done) => {
      world.disk.open('ring/notes', 'write', done);
    }) as unknown as { write(at: number, parts: Uint8Array[], done: (error: Error | null) => void): void };
    for (const at of [0, SLOT_BYTES])
      yield (done) => {
        handle.write(at, [new Uint8Array(64).fill(7)], done);
      };
  };
  run(damage() as never, (error) => {
    t.is(error, null);
    isWritten = true;
  });
  world.time.runUntil(() => isWritten);
  t.is(open(world).kept, null);
  t.is(save(world, open(world), Buffer.from('two')), null);
  t.is(Buffer.from(open(world).kept ?? []).toString(), 'two');
});

test('Notes that do not fit are refused, and the file stays what it was', (t) => {
  const world = scene();
  const file = open(world);
  t.is(save(world, file, Buffer.from('one')), null);
  t.regex(save(world, file, new Uint8Array(SLOT_BYTES))?.message ?? '', /there is room for 262112/);
  t.is(Buffer.from(open(world).kept ?? []).toString(), 'one');
});
