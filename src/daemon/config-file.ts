/*
 * A TOML file, flattened to dotted paths that remember their line. smol-toml says where a syntax error is but not where
 * a good key stands, so the line is found again in the text; a key written in some unusual way (inline table, quoted)
 * merely goes without one.
 */
import { parse, TomlError } from 'smol-toml';
import { ConfigError } from './config-types.js';

export interface FileValue {
  readonly value: unknown;
  /** `n1.toml:4`, or `n1.toml`. */
  readonly from: string;
}

export function readToml(text: string, name: string): ReadonlyMap<string, FileValue> {
  let root: Record<string, unknown>;
  try {
    root = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    throw new ConfigError([`${name}:${error.line}:${error.column}: ${error.message.trimEnd()}`], { cause: error });
  }
  const lines = linesOfKeys(text);
  const values = new Map<string, FileValue>();
  flatten(root, '', (path, value) => {
    const line = lines.get(path);
    values.set(path, { value, from: line === undefined ? name : `${name}:${line}` });
  });
  return values;
}

function flatten(table: Record<string, unknown>, prefix: string, visit: (path: string, value: unknown) => void): void {
  for (const [key, value] of Object.entries(table)) {
    if (isTable(value)) flatten(value, `${prefix}${key}.`, visit);
    else visit(`${prefix}${key}`, value);
  }
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function linesOfKeys(text: string): ReadonlyMap<string, number> {
  const lines = new Map<string, number>();
  let table = '';
  for (const [index, line] of text.split('\n').entries()) {
    const header = /^\s*\[\s*([\w.-]+)\s*\]/.exec(line);
    if (header !== null) table = `${header[1] ?? ''}.`;
    const key = /^\s*([\w.-]+)\s*=/.exec(line);
    if (key !== null) lines.set(`${table}${key[1] ?? ''}`, index + 1);
  }
  return lines;
}
