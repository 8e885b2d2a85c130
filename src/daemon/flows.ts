import { type Flow, run } from '../lib/flow.js';

/** A flow's end as a promise: for start-up and shutdown, which are the process's and may wait. */
export function promised<T>(flow: Flow<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    run(flow, (error, value) => {
      if (error === null) resolve(value as T);
      else reject(error);
    });
  });
}

/** One call back as a promise. */
export function answered(start: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}
