/** A meter and a log that nobody reads. */
import type { Log, Meter } from '../../src/env/meter.js';

const nothing = (): void => {};

export const silentMeter: Meter = {
  counter: () => ({ add: nothing }),
  gauge: () => ({ set: nothing }),
  histogram: () => ({ observe: nothing }),
};

export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
