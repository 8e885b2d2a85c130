import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { ClientReply, ClientTask } from '../chaos-client.js';
import { ROOT } from '../daemon.js';
import type { Host } from '../faults/network.js';
import type { Scope } from '../scope.js';
import type { FinalState, Operation } from './operation.js';
import type { WorkloadOptions } from './workload.js';

/** chaos-client.ts on a host of the network. */
export class ClientProcess {
  readonly #child: ChildProcess;
  #settle: { readonly resolve: (reply: ClientReply) => void; readonly reject: (error: Error) => void } | null = null;
  #ended = false;

  constructor(scope: Scope, host: Host) {
    const [program = '', ...words] = [...host.prefix, process.execPath, '--enable-source-maps'];
    this.#child = spawn(program, [...words, join(ROOT, 'dist', 'test', 'support', 'chaos-client.js')], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    scope.defer('end the client', () => {
      if (!this.#ended) this.#child.kill('SIGKILL');
    });
    this.#child.on('message', (reply: ClientReply) => {
      const settle = this.#settle;
      this.#settle = null;
      if (reply.reply === 'failed') settle?.reject(new Error(`The client failed: ${reply.text}`));
      else settle?.resolve(reply);
    });
    this.#child.once('error', (error) => {
      this.#end(error.message);
    });
    this.#child.once('exit', (code, signal) => {
      this.#end(`code ${code}, signal ${signal}`);
    });
  }

  #end(how: string): void {
    this.#ended = true;
    this.#settle?.reject(new Error(`The client ended (${how})`));
    this.#settle = null;
  }

  #ask(task: ClientTask): Promise<ClientReply> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      if (this.#ended) this.#end('before it was asked');
      else this.#child.send(task);
    });
  }

  async start(options: WorkloadOptions): Promise<void> {
    await this.#ask({ task: 'start', options });
  }

  async stop(): Promise<{ readonly operations: readonly Operation[]; readonly skipped: number }> {
    const reply = await this.#ask({ task: 'stop' });
    if (reply.reply !== 'stopped') throw new Error(`The client answered ${reply.reply} to stop`);
    return reply;
  }

  async read(replicas: number): Promise<readonly FinalState[]> {
    const reply = await this.#ask({ task: 'read', replicas });
    if (reply.reply !== 'read') throw new Error(`The client answered ${reply.reply} to read`);
    return reply.states;
  }

  end(): void {
    if (!this.#ended) this.#child.send({ task: 'end' } satisfies ClientTask);
  }
}
