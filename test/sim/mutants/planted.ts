/*
 * Loads the simulator with a bug in it. A module is loaded once a process, so a process has one bug, and it has to be
 * planted before anything of src/ is loaded: nothing here, nor what this imports, may import any of it but for its types.
 */
import { readFileSync } from 'node:fs';
import { register } from 'node:module';
import { plant } from '../../support/planted.js';
import type * as Scenario from '../scenario.js';
import type { PlantedSources } from './load-planted.js';
import type { Edit } from './mutant.js';

const SOURCES = new URL('../../../src/', import.meta.url);

export async function loadPlanted(bug: string, edits: readonly Edit[]): Promise<typeof Scenario> {
  const sources = plantedSources(bug, edits);
  if (edits.length > 0) register('./load-planted.js', import.meta.url, { data: sources });
  const scenario = await import('../scenario.js');
  for (const url of Object.keys(sources)) {
    if (!(url in globalThis)) throw new Error(`${bug}: ${url} is not part of the simulator`);
  }
  return scenario;
}

/** Each ends by saying that it was loaded. */
export function plantedSources(bug: string, edits: readonly Edit[]): PlantedSources {
  const sources: Record<string, string> = {};
  for (const edit of edits) {
    const { href } = new URL(edit.file, SOURCES);
    sources[href] = plant(sources[href] ?? readFileSync(new URL(href), 'utf8'), edit, bug, edit.file);
  }
  const said = Object.entries(sources).map(([url, source]) => [url, source.concat(saysSo(url))]);
  return Object.fromEntries(said) as PlantedSources;
}

/** On a line of its own: the last line of a compiled file is a comment. */
const saysSo = (url: string): string => `\nglobalThis[${JSON.stringify(url)}] = true;\n`;
