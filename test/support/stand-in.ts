/*
 * A store of a hundred lines that speaks just enough of the protocol to put the test tools themselves to the test: one
 * that keeps its word, and ones that break it in a known way. A tool that finds nothing in those proves nothing.
 *
 *   node stand-in.js DIRECTORY honest        appends to one file and answers after fdatasync
 *   node stand-in.js DIRECTORY unsynced      answers at once, never syncs
 *   node stand-in.js DIRECTORY forgetful     loses one acked put in a hundred when it starts again
 *   node stand-in.js DIRECTORY amnesiac      its counters start again at zero, so that new puts drown in old contexts
 *
 * One actor, so a context is a number: the highest version that its holder has seen.
 */
import { closeSync, existsSync, fdatasync, openSync, readFileSync, truncateSync, writeSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import * as kinds from '../../src/wire/kinds.js';
import { partita } from '../../src/wire/protobuf.js';
import { encodeFrame, FrameCutter, type RawFrame } from './raw-client.js';

const v1 = partita.v1;
const [folder = '.', mode = 'honest'] = process.argv.slice(2);
const path = join(folder, 'stand-in.log');

interface Version {
  readonly dot: number;
  readonly value: string | null;
}
interface Entry extends Version {
  readonly key: string;
  readonly context: number;
  readonly putId: string;
}

const versions = new Map<string, readonly Version[]>();
const counters = new Map<string, number>();
const putIds = new Set<string>();

function apply(entry: Entry): void {
  const kept = (versions.get(entry.key) ?? []).filter((version) => version.dot > entry.context);
  versions.set(entry.key, [...kept, { dot: entry.dot, value: entry.value }]);
  counters.set(entry.key, Math.max(counters.get(entry.key) ?? 0, entry.dot));
  putIds.add(entry.putId);
}

/** Up to the first line that is none: a torn tail, which is cut off. */
function recover(): void {
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  let good = 0;
  for (const [index, line] of lines.entries()) {
    if (line.startsWith('\0')) break;
    good += line.length + 1;
    if (mode !== 'forgetful' || index % 100 !== 99) apply(JSON.parse(line) as Entry);
  }
  truncateSync(path, good);
}
if (existsSync(path)) recover();
if (mode === 'amnesiac') counters.clear();

const file = openSync(path, 'a');
let waiting: (() => void)[] = [];
let syncing = false;

function afterSync(answer: () => void): void {
  if (mode === 'unsynced') {
    answer();
    return;
  }
  waiting.push(answer);
  if (syncing) return;
  syncing = true;
  const batch = (): void => {
    const answers = waiting;
    waiting = [];
    fdatasync(file, (error) => {
      if (error !== null) throw error;
      for (const one of answers) one();
      if (waiting.length > 0) batch();
      else syncing = false;
    });
  };
  setImmediate(batch);
}

const contextOf = (bytes: Uint8Array): number => (bytes.length === 4 ? Buffer.from(bytes).readUInt32BE(0) : 0);
const contextBytes = (context: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(context);
  return bytes;
};

function visible(key: string): readonly Version[] {
  return (versions.get(key) ?? []).filter((version) => version.value !== null);
}

function put(socket: Socket, frame: RawFrame): void {
  const isDelete = frame.kind === kinds.DELETE;
  // A Delete is a Put without a value: the fields that they share have the same numbers.
  const request = v1.Put.decode(frame.body);
  const key = Buffer.from(request.key).toString();
  const putId = Buffer.from(request.putId).toString('hex');
  if (!putIds.has(putId)) {
    const value = isDelete ? null : Buffer.from(request.value).toString('base64');
    const entry: Entry = { key, dot: (counters.get(key) ?? 0) + 1, value, context: contextOf(request.context), putId };
    apply(entry);
    // An amnesiac's fresh version is covered by contexts of its earlier life: whoever merges drops it.
    if (mode === 'amnesiac')
      versions.set(
        key,
        (versions.get(key) ?? []).filter((version) => version.dot > entry.context),
      );
    writeSync(file, `${JSON.stringify(entry)}\n`);
  }
  // Now, not after the sync: by then another's version may stand alone, and this client has not read it.
  const alone = (versions.get(key) ?? []).length === 1;
  const body = {
    context: alone ? contextBytes(counters.get(key) ?? 0) : new Uint8Array(0),
    siblingCount: visible(key).length,
  };
  afterSync(() => {
    socket.write(encodeFrame(kinds.PUT_REPLY, frame.requestId, v1.PutReply.encode(body).finish()));
  });
}

function get(socket: Socket, frame: RawFrame): void {
  const key = Buffer.from(v1.Get.decode(frame.body).key).toString();
  const siblings = visible(key).map((version) => ({ value: Buffer.from(version.value ?? '', 'base64') }));
  const body = v1.GetReply.encode({ siblings, context: contextBytes(counters.get(key) ?? 0) }).finish();
  socket.write(encodeFrame(kinds.GET_REPLY, frame.requestId, body));
}

const server = createServer({ noDelay: true }, (socket) => {
  const cutter = new FrameCutter();
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => {
    for (const frame of cutter.push(chunk)) {
      if (frame.kind === kinds.HELLO)
        socket.write(encodeFrame(kinds.HELLO_REPLY, frame.requestId, v1.HelloReply.encode({ version: 1 }).finish()));
      else if (frame.kind === kinds.GET) get(socket, frame);
      else put(socket, frame);
    }
  });
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('No port');
  console.log(JSON.stringify({ event: 'ready', client: `127.0.0.1:${address.port}`, pid: process.pid }));
});
process.on('SIGTERM', () => {
  closeSync(file);
  process.exit(0);
});
