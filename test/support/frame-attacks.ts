/*
 * A process full of bad clients.
 *
 *   node frame-attacks.js CLIENT PEER ADMIN SEED SECONDS CONCURRENCY [ATTACK]
 *
 * Each of CONCURRENCY loops picks one attack after the other until time is up, or makes one of them again and again. At the end: one JSON line with how often
 * each was made, and what the server said. A process of its own, so that its load does not slow down the watchdog that
 * judges the server.
 */
import { connect, type Socket } from 'node:net';
import { Prng } from '../../src/lib/prng.js';
import { FRAME_BODY_BYTES_BEFORE_HELLO } from '../../src/model/limits.js';
import * as kinds from '../../src/wire/kinds.js';
import { partita } from '../../src/wire/protobuf.js';
import { bombFrame, helloFrame, legalFrame, mutate, noise } from './frame-mutations.js';
import { encodeFrame, FrameCutter, newPutId } from './raw-client.js';

const v1 = partita.v1;

interface Arena {
  readonly client: string;
  readonly peer: string;
  readonly admin: string;
  readonly prng: Prng;
  /** Replies by kind, `closed by server`, `not accepted`. */
  readonly seen: Map<string, number>;
}

const count = (map: Map<string, number>, name: string): void => {
  map.set(name, (map.get(name) ?? 0) + 1);
};
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** An open connection to any listener, or null: a server that is full may refuse, and one that hangs is not our matter here. */
function open(arena: Arena, address: string = arena.client): Promise<Socket | null> {
  const colon = address.lastIndexOf(':');
  const socket = address.startsWith('unix:')
    ? connect({ path: address.slice(5) })
    : connect({ host: address.slice(0, colon), port: Number(address.slice(colon + 1)), noDelay: true });
  return new Promise((resolve) => {
    const refused = (): void => {
      count(arena.seen, 'not accepted');
      socket.destroy();
      resolve(null);
    };
    socket.setTimeout(5_000, refused);
    socket.once('error', refused);
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.off('error', refused);
      socket.on('error', () => undefined);
      const cutter = new FrameCutter();
      socket.on('data', (chunk: Buffer) => {
        for (const frame of cutter.push(chunk)) count(arena.seen, kinds.nameOfKind(frame.kind));
      });
      socket.once('end', () => {
        count(arena.seen, 'closed by server');
      });
      resolve(socket);
    });
  });
}

/** Sends in pieces cut anywhere, now and then byte by byte. */
async function send(prng: Prng, socket: Socket, bytes: Buffer): Promise<void> {
  const style = prng.float();
  if (style < 0.5 || bytes.length > 100_000) {
    if (!socket.destroyed && !socket.write(bytes))
      await Promise.race([sleep(200), new Promise((resolve) => socket.once('drain', resolve))]);
    return;
  }
  for (let at = 0; at < bytes.length && !socket.destroyed;) {
    const size = style < 0.55 ? 1 : 1 + prng.int(Math.max(1, bytes.length / 3));
    socket.write(bytes.subarray(at, at + size));
    at += size;
    await new Promise((resolve) => setImmediate(resolve));
    if (style < 0.55 && at > 60) break;
  }
}

/** RST instead of FIN, where there is such a thing: a unix socket has none. */
function reset(socket: Socket | null): void {
  if (socket?.remoteAddress !== undefined) socket.resetAndDestroy();
  else socket?.destroy();
}

/** Politely, rudely, or leaving it to the server. */
async function leave(prng: Prng, socket: Socket): Promise<void> {
  const how = prng.float();
  if (how < 0.3) socket.end();
  else if (how < 0.5) reset(socket);
  await sleep(prng.int(100));
  socket.destroy();
}

type Attack = (arena: Arena) => Promise<void>;

async function onSocket(arena: Arena, work: (socket: Socket) => Promise<void>, address?: string): Promise<void> {
  const socket = await open(arena, address);
  if (socket === null) return;
  await work(socket);
  await leave(arena.prng, socket);
}

const ATTACKS: Readonly<Record<string, Attack>> = {
  noise: (arena) =>
    onSocket(arena, async (socket) => {
      await send(arena.prng, socket, noise(arena.prng, arena.prng.int(20_000)));
    }),
  'noise at the peer listener': (arena) =>
    onSocket(arena, (socket) => send(arena.prng, socket, noise(arena.prng, arena.prng.int(5_000))), arena.peer),
  'noise at the admin socket': (arena) =>
    onSocket(arena, (socket) => send(arena.prng, socket, noise(arena.prng, arena.prng.int(5_000))), arena.admin),
  'requests at the peer listener': (arena) =>
    onSocket(
      arena,
      async (socket) => {
        await send(arena.prng, socket, Buffer.concat([helloFrame(), legalFrame(arena.prng)]));
      },
      arena.peer,
    ),
  'half a hello': (arena) =>
    onSocket(arena, async (socket) => {
      const hello = helloFrame();
      await send(arena.prng, socket, hello.subarray(0, arena.prng.int(hello.length)));
      await sleep(arena.prng.int(arena.prng.chance(0.1) ? 4_000 : 200));
    }),
  'a mutated hello': (arena) =>
    onSocket(arena, async (socket) => {
      await send(arena.prng, socket, mutate(arena.prng, helloFrame()));
      await send(arena.prng, socket, legalFrame(arena.prng));
    }),
  'a request before hello': (arena) =>
    onSocket(arena, (socket) =>
      send(arena.prng, socket, arena.prng.chance(0.5) ? legalFrame(arena.prng) : bombFrame(arena.prng)),
    ),
  'a large frame before hello': (arena) =>
    onSocket(arena, (socket) =>
      send(
        arena.prng,
        socket,
        encodeFrame(kinds.HELLO, 1, noise(arena.prng, FRAME_BODY_BYTES_BEFORE_HELLO - 2 + arena.prng.int(100_000))),
      ),
    ),
  'odd requests': (arena) =>
    onSocket(arena, async (socket) => {
      await send(arena.prng, socket, helloFrame());
      for (let i = 0; i < 60 && !socket.destroyed; i++) await send(arena.prng, socket, legalFrame(arena.prng));
    }),
  'mutated requests': (arena) =>
    onSocket(arena, async (socket) => {
      await send(arena.prng, socket, helloFrame());
      for (let i = 0; i < 20 && !socket.destroyed; i++) {
        const frame = legalFrame(arena.prng);
        await send(arena.prng, socket, arena.prng.chance(0.5) ? mutate(arena.prng, frame) : frame);
      }
    }),
  'any kind with any body': (arena) =>
    onSocket(arena, async (socket) => {
      await send(arena.prng, socket, helloFrame());
      for (let i = 0; i < 5; i++) {
        const kind = arena.prng.chance(0.7) ? arena.prng.pick(kinds.KNOWN_KINDS) : arena.prng.int(256);
        await send(arena.prng, socket, encodeFrame(kind, arena.prng.u32(), noise(arena.prng, arena.prng.int(500))));
      }
    }),
  'protobuf bombs': (arena) =>
    onSocket(arena, async (socket) => {
      await send(arena.prng, socket, Buffer.concat([helloFrame(), bombFrame(arena.prng)]));
      await sleep(50);
    }),
  'a put that stops in the middle': (arena) =>
    onSocket(arena, async (socket) => {
      const body = v1.Put.encode({
        key: Buffer.from('cut'),
        value: noise(arena.prng, 900_000),
        putId: newPutId(),
        budgetMs: 1_000,
      }).finish();
      const frame = encodeFrame(kinds.PUT, 2, body);
      await send(arena.prng, socket, Buffer.concat([helloFrame(), frame.subarray(0, arena.prng.int(frame.length))]));
      await sleep(arena.prng.int(1_500));
    }),
  'a reader that never reads': (arena) =>
    onSocket(arena, async (socket) => {
      socket.pause();
      const value = noise(arena.prng, 900_000);
      const put = v1.Put.encode({
        key: Buffer.from(`big-${arena.prng.int(4)}`),
        value,
        putId: newPutId(),
        budgetMs: 5_000,
      }).finish();
      socket.write(Buffer.concat([helloFrame(), encodeFrame(kinds.PUT, 2, put)]));
      const asks = Array.from({ length: 200 }, (_, i) =>
        encodeFrame(
          kinds.GET,
          3 + i,
          v1.Get.encode({ key: Buffer.from(`big-${arena.prng.int(4)}`), budgetMs: 60_000 }).finish(),
        ),
      );
      for (let i = 0; i < 5 && !socket.destroyed; i++) {
        socket.write(Buffer.concat(asks));
        await sleep(400);
      }
    }),
  'the same large key a thousand times in one request': (arena) =>
    onSocket(arena, async (socket) => {
      const gets = Array.from({ length: 1_024 }, () => ({ key: Buffer.from(`big-${arena.prng.int(4)}`) }));
      await send(
        arena.prng,
        socket,
        Buffer.concat([
          helloFrame(),
          encodeFrame(kinds.MULTI_GET, 2, v1.MultiGet.encode({ gets, budgetMs: 5_000 }).finish()),
        ]),
      );
      if (arena.prng.chance(0.5)) socket.pause();
      await sleep(500);
    }),
  'siblings without end': (arena) =>
    onSocket(arena, async (socket) => {
      const puts = Array.from({ length: 120 }, (_, i) => {
        const put = {
          key: Buffer.from('siblings'),
          value: noise(arena.prng, 9_000),
          putId: newPutId(),
          budgetMs: 5_000,
          returnSiblings: true,
        };
        return encodeFrame(kinds.PUT, 2 + i, v1.Put.encode(put).finish());
      });
      await send(arena.prng, socket, Buffer.concat([helloFrame(), ...puts]));
      await sleep(300);
    }),
  'many connections': async (arena) => {
    const sockets = await Promise.all(Array.from({ length: 300 }, () => open(arena)));
    for (const socket of sockets)
      if (socket !== null && arena.prng.chance(0.5)) socket.write(helloFrame().subarray(0, arena.prng.int(40)));
    await sleep(arena.prng.int(1_000));
    for (const socket of sockets) socket?.destroy();
  },
  'open and close': async (arena) => {
    for (let i = 0; i < 30; i++) reset(await open(arena));
  },
};

/** Cheap ones are made often; those that hold on to something for long, less so. */
const RARE: ReadonlySet<string> = new Set([
  'many connections',
  'a reader that never reads',
  'the same large key a thousand times in one request',
  'siblings without end',
]);

async function attack(arena: Arena, untilMs: number, made: Map<string, number>, only: string): Promise<void> {
  const names = only === '' ? Object.keys(ATTACKS) : [only];
  while (Date.now() < untilMs) {
    const name = arena.prng.pick(names);
    if (only === '' && RARE.has(name) && !arena.prng.chance(0.2)) continue;
    count(made, name);
    await ATTACKS[name]?.(arena);
  }
}

const [client = '', peer = '', admin = '', seed = '1', seconds = '1', concurrency = '16', only = ''] =
  process.argv.slice(2);
const prng = new Prng(Number(seed));
const seen = new Map<string, number>();
const made = new Map<string, number>();
const untilMs = Date.now() + 1_000 * Number(seconds);
await Promise.all(
  Array.from({ length: Number(concurrency) }, () =>
    attack({ client, peer, admin, prng: prng.fork(), seen }, untilMs, made, only),
  ),
);
console.log(JSON.stringify({ event: 'done', made: Object.fromEntries(made), seen: Object.fromEntries(seen) }));
process.exit(0);
