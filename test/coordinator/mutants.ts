/*
 * Planted bugs. A mutant is the compiled source with one passage changed, loaded as a module of its own: so it is the real
 * machine that is broken, and the sources carry no switches. A passage that is not found exactly once fails the test:
 * whoever rewrites it decides anew what the bug would be.
 */
import { readFileSync } from 'node:fs';
import { type Passage, plant } from '../support/planted.js';
import { claim } from './timeline.js';

const FOLDER = new URL('../../src/coordinator/', import.meta.url);

export interface Mutant extends Passage {
  readonly bug: string;
  /** In which file the passage is; the machine's own unless said otherwise. */
  readonly file?: string;
}

/** The module `name` with the mutant in it or in a file that it imports. */
export async function loadMutant(name: string, mutant: Mutant): Promise<Readonly<Record<string, unknown>>> {
  const file = mutant.file ?? name;
  claim(file === name || readFileSync(new URL(name, FOLDER), 'utf8').includes(`'./${file}'`), `${name} uses ${file}`);
  const inner = moduleOf(file, (source) => plant(source, mutant, mutant.bug, file));
  const url = file === name ? inner : moduleOf(name, (source) => source.replace(`'./${file}'`, `'${inner}'`));
  return (await import(url)) as Readonly<Record<string, unknown>>;
}

function moduleOf(file: string, change: (source: string) => string): string {
  const source = change(readFileSync(new URL(file, FOLDER), 'utf8'))
    .replace(/\/\/# sourceMappingURL=.*/, '')
    .replace(/from '(\.[^']+)'/g, (_, path: string) => `from '${new URL(path, FOLDER).href}'`);
  return `data:text/javascript;base64,${Buffer.from(source).toString('base64')}`;
}
