import { readFile } from 'node:fs/promises';
import { FRAME_OVERHEAD_BYTES } from '../model/limits.js';
import type { NodeSettings } from '../node/settings.js';
import type { Config } from './config-types.js';
import { StartRefusedError } from './running-node.js';

/** A record may hold this many of the largest values before puts that add a sibling are refused. */
const LARGEST_VALUES_PER_RECORD = 4;
const STALLED_READER_MS = 30_000;

/** What node/ needs to know of the configuration. `PARTITA_TEST_DELAY_MS` is a switch of tests alone. */
export async function nodeSettings(config: Config, env: NodeJS.ProcessEnv): Promise<NodeSettings> {
  const { limits, valueBytesMax, memory } = config;
  const recordBytesMax = LARGEST_VALUES_PER_RECORD * valueBytesMax;
  return {
    helloTimeoutMs: limits.helloTimeoutMs,
    frameTimeoutMs: limits.frameTimeoutMs,
    idleTimeoutMs: limits.idleTimeoutMs,
    queuedBytesMax: limits.outputPauseBytes,
    stalledReaderMs: STALLED_READER_MS,
    inFlightMax: limits.inFlightPerConnection,
    inFlightBytesPerConnection: limits.inFlightBytesPerConnection,
    // Beyond half of the share only connections without anything under way are served, and none beyond all of it.
    inFlightBytesMax: Math.floor(memory.inFlightBytes / 2),
    valueBytesMax,
    recordBytesMax,
    // One number for both directions: a reply carries all siblings, and the put that merged them may come on top.
    frameBodyBytesMax: recordBytesMax + valueBytesMax + FRAME_OVERHEAD_BYTES,
    token: await tokenOf(config.client.tokenFile),
    delayMs: env['NODE_ENV'] === 'test' ? Number(env['PARTITA_TEST_DELAY_MS'] ?? 0) : 0,
  };
}

async function tokenOf(file: string | null): Promise<Uint8Array> {
  if (file === null) return new Uint8Array(0);
  let text: string;
  try {
    text = (await readFile(file, 'utf8')).trim();
  } catch (error) {
    throw new StartRefusedError(`The token file cannot be read: ${(error as Error).message}`, { cause: error });
  }
  if (text === '')
    throw new StartRefusedError(
      `The token file ${file} is empty: put the clients' token into it, or remove client.tokenFile`,
    );
  return Buffer.from(text);
}
