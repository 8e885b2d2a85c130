/* The parts behind a Client that all its views share: the core in its world, and the events. */
import { EventEmitter } from 'node:events';
import { ClientCore } from './core/client-core.js';
import type { Call } from './core/call.js';
import { PartitaError } from './errors.js';
import type { ClientEvents } from './events.js';
import type { ResolvedOptions, Token } from './options.js';
import type { ClientSystem } from './system.js';

/** What all views of one client share. */
export interface Shared {
  readonly system: ClientSystem;
  readonly core: ClientCore;
  readonly options: ResolvedOptions;
  readonly events: EventEmitter<ClientEvents>;
  readonly hashLoaded: Promise<void>;
}

/** The call ends when the signal fires; the signal forgets the call when it has ended. */
export function abortOn(signal: AbortSignal, core: ClientCore, call: Call): void {
  if (call.state === 'done') return;
  const listener = (): void => {
    core.abort(call, signal.reason);
  };
  signal.addEventListener('abort', listener, { once: true });
  call.onEnd = () => {
    signal.removeEventListener('abort', listener);
  };
}

export function makeShared(
  options: ResolvedOptions,
  system: ClientSystem,
  token: Token | (() => Token | Promise<Token>) | undefined,
): Shared {
  const events = new EventEmitter<ClientEvents>();
  const world = { ...system, token: tokenSource(token) };
  const core = new ClientCore(world, options, {
    onReady: () => events.emit('ready'),
    onNodeUp: (node) => events.emit('nodeUp', node),
    onNodeDown: (node, cause) => events.emit('nodeDown', node, cause),
    onRingChange: (version) => events.emit('ringChange', version),
    onRetry: (operation, attempt, cause) => events.emit('retry', { operation, attempt, cause }),
  });
  const hashLoaded = system.loadHash().then(
    (hash) => {
      core.useHash(hash);
    },
    () => {
      // No WebAssembly here (node --jitless): keys go to any node, which costs a forward and nothing else.
    },
  );
  return { system, core, options, events, hashLoaded };
}

type TokenSource = (done: (error: PartitaError | null, token?: Uint8Array) => void) => void;

function tokenSource(token: Token | (() => Token | Promise<Token>) | undefined): TokenSource {
  return (done) => {
    if (typeof token !== 'function') {
      done(null, tokenBytes(token ?? ''));
      return;
    }
    Promise.resolve()
      .then(token)
      .then(
        (fresh) => {
          done(null, tokenBytes(fresh));
        },
        (cause: unknown) => {
          done(new PartitaError('UNAUTHENTICATED', `auth.token failed: ${String(cause)}`, { cause }));
        },
      );
  };
}

function tokenBytes(token: Token): Uint8Array {
  return typeof token === 'string' ? Buffer.from(token, 'utf8') : token;
}
