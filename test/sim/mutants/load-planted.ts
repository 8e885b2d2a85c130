/*
 * A hook of the module loader: the files that it was told of are loaded with their passages changed. It lives in a thread
 * of its own, so it is told by way of `register`.
 */
import type { InitializeHook, LoadHook } from 'node:module';

/** Address of a module → its source. */
export type PlantedSources = Readonly<Record<string, string>>;

let planted: PlantedSources = {};

export const initialize: InitializeHook<PlantedSources> = (sources) => {
  planted = sources;
};

export const load: LoadHook = (url, context, next) => {
  const source = planted[url];
  return source === undefined ? next(url, context) : { format: 'module', source, shortCircuit: true };
};
