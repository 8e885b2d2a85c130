/*
 * Straight-line code over callbacks, for the paths that are taken rarely: recovery, start-up, flushing.
 *
 * Promises are out of bounds below client/: their microtasks run whenever the engine pleases, and a simulated run must
 * be a function of its seed. A generator reads like async code and resumes exactly inside the callback that it waited
 * for. Hot paths do not use it: a generator object a request is what we avoid there.
 */

/** What a generator waits for: start the work, call back once with an error or a value. */
export type Wait<T> = (done: (error: Error | null, value?: T) => void) => void;
export type Flow<T> = Generator<Wait<unknown>, T, unknown>;

/** `const x = yield* wait((done) => disk.read(…, done))` */
export function* wait<T = void>(start: (done: (error: Error | null, value?: T) => void) => void): Flow<T> {
  return (yield start) as T;
}

/** Runs a flow to its end; errors thrown inside, or reported by what it waits for, arrive at `done`. */
export function run<T>(flow: Flow<T>, done: (error: Error | null, value?: T) => void): void {
  let advancing = false;
  let pending: { error: Error | null; value: unknown } | null = null;

  const resume = (error: Error | null, value: unknown): void => {
    pending = { error, value };
    if (advancing) return; // called back before `start` returned: the loop below takes it, so the stack stays flat
    advancing = true;
    while (pending !== null) {
      const { error: failure, value: result }: { error: Error | null; value: unknown } = pending;
      pending = null;
      let step: IteratorResult<Wait<unknown>, T>;
      try {
        step = failure === null ? flow.next(result) : flow.throw(failure);
      } catch (thrown) {
        advancing = false;
        done(thrown instanceof Error ? thrown : new Error(String(thrown)));
        return;
      }
      if (step.done === true) {
        advancing = false;
        done(null, step.value);
        return;
      }
      let answered = false;
      step.value((failed, answer) => {
        if (answered) return;
        answered = true;
        resume(failed, answer);
      });
    }
    advancing = false;
  };
  resume(null, undefined);
}
