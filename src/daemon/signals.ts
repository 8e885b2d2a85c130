/*
 *   SIGTERM, SIGINT   drain: no new requests, answer those under way, sync, close; exit 0
 *   … a second one    stop at once; exit 1. Nothing acknowledged is lost, the next start replays the log
 *   SIGHUP            read the configuration again; what can change while running (the log level) does
 *   SIGUSR2           write a line with the event-loop delays since the last such line
 */
export interface SignalActions {
  drain(signal: string): void;
  stopNow(signal: string): void;
  reload(): void;
  reportLoopDelay(): void;
}

/** The part of `process` that this needs. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  off(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
}

/** Answers what takes the listeners away again. */
export function onSignals(source: SignalSource, actions: SignalActions): () => void {
  let draining = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (draining) {
      actions.stopNow(signal);
      return;
    }
    draining = true;
    actions.drain(signal);
  };
  const listeners: readonly (readonly [NodeJS.Signals, (signal: NodeJS.Signals) => void])[] = [
    ['SIGTERM', stop],
    ['SIGINT', stop],
    [
      'SIGHUP',
      () => {
        actions.reload();
      },
    ],
    [
      'SIGUSR2',
      () => {
        actions.reportLoopDelay();
      },
    ],
  ];
  for (const [signal, listener] of listeners) source.on(signal, listener);
  return () => {
    for (const [signal, listener] of listeners) source.off(signal, listener);
  };
}
