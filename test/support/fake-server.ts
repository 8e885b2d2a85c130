/*
 * A scripted node on a real socket of the loopback, for tests of the client and the command line: late and wrong
 * answers, half frames, dropped connections, silence.
 */
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { ScriptedPeer } from './scripted-peer.js';
import { fakeNode } from './fake-node.js';
import type { FakeNode, Script } from './fake-node.js';

export class FakeServer {
  readonly node: FakeNode;
  readonly peers: Set<ScriptedPeer> = new Set();
  connections: number = 0;
  readonly #sockets: Set<Socket> = new Set();
  #server: Server | null = null;
  #port: number = 0;
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
    this.node = fakeNode('');
  }

  /** `path`: of a unix socket; empty: at a free port. */
  static async start(script: Script | null = null, path: string = ''): Promise<FakeServer> {
    const server = new FakeServer(path);
    server.node.script = script;
    await server.listen();
    return server;
  }

  get address(): string {
    return this.#path === '' ? `127.0.0.1:${this.#port}` : `unix:${this.#path}`;
  }

  /** Also after `stop`: at the same port again. */
  listen(): Promise<void> {
    const server = createServer({ noDelay: true }, (socket) => {
      this.#accept(socket);
    });
    this.#server = server;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      const where = this.#path === '' ? { port: this.#port, host: '127.0.0.1' } : { path: this.#path };
      server.listen(where, () => {
        if (this.#path === '') this.#port = (server.address() as AddressInfo).port;
        this.node.address = this.address;
        this.node.ring = {
          ...this.node.ring,
          members: this.node.ring.members.map((member) => ({ ...member, address: this.address })),
        };
        resolve();
      });
    });
  }

  /** Closes the port and every connection at once, as a killed process does. */
  stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const server = this.#server;
    this.#server = null;
    return new Promise((resolve) => {
      if (server === null) resolve();
      else
        server.close(() => {
          resolve();
        });
    });
  }

  #accept(socket: Socket): void {
    this.connections += 1;
    this.#sockets.add(socket);
    const peer = new ScriptedPeer(this.node, {
      send: (bytes) => socket.write(bytes),
      close: () => {
        socket.end();
      },
    });
    this.peers.add(peer);
    socket.on('data', (chunk) => {
      peer.receive(chunk);
    });
    socket.on('error', () => {
      socket.destroy();
    });
    socket.on('close', () => {
      this.#sockets.delete(socket);
      this.peers.delete(peer);
    });
  }
}
