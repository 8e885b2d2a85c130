/*
 * Question: how many frames a second can plain Node send back over TCP on this machine, and how soon?
 *
 * The floor under every figure of ours: nothing is decoded, nothing is stored, a chunk goes back as it came, one write
 * a socket and turn of the loop. Ratios to it count, absolute times do not: they change with the machine and the hour.
 *
 * Frozen: all ratios ever published refer to this program. It is not to be made faster or slower.
 *
 *     node dist/bench/floor-echo.js --port 0      prints {"event":"ready","port":…} when it listens
 */
import { createServer } from 'node:net';
import { serveFloor } from './floor-server.js';

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('data', (chunk) => {
    if (!socket.write(chunk)) {
      socket.pause();
      socket.once('drain', () => socket.resume());
    }
  });
  socket.on('error', () => socket.destroy());
});
serveFloor(server);
