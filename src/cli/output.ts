/* How results are shown: tables for people, JSON and plain lines for programs. */
import { styleText } from 'node:util'; // judges the real stdout unless told not to; we have judged ours
import Table from 'cli-table3';
import type { Io, OutputFormat } from './io.js';

/** A table on a terminal, plain lines otherwise, unless told. */
export function formatOf(io: Io, wanted: OutputFormat | undefined): OutputFormat {
  return wanted ?? (io.stdoutIsTTY ? 'table' : 'raw');
}

export function hasColour(io: Io): boolean {
  return io.stdoutIsTTY && (io.env['NO_COLOR'] ?? '') === '';
}

export function printTable(io: Io, head: readonly string[], rows: readonly (readonly string[])[]): void {
  const titles = hasColour(io) ? head.map((title) => styleText('bold', title, { validateStream: false })) : [...head];
  const table = new Table({ head: titles, style: { head: [], border: [] } });
  for (const row of rows) table.push([...row]);
  io.out(`${table.toString()}\n`);
}

export function printJson(io: Io, value: unknown): void {
  io.out(`${JSON.stringify(value, null, 2)}\n`);
}

/** Columns divided by tabs, for cut and awk. */
export function printLines(io: Io, rows: readonly (readonly string[])[]): void {
  io.out(rows.map((row) => `${row.join('\t')}\n`).join(''));
}

/** The bytes as text if they are UTF-8, else undefined. */
export function asText(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

const PREVIEW_CHARACTERS = 60;

/** One line that shows what bytes look like: nothing that a terminal would obey, nothing longer than a line. */
export function preview(bytes: Uint8Array): string {
  const text = asText(bytes);
  if (text === undefined) return cut(`0x${Buffer.from(bytes.subarray(0, PREVIEW_CHARACTERS)).toString('hex')}`);
  // Control characters are what this is about.
  return cut(
    text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (control) => JSON.stringify(control).slice(1, -1)),
  );
}

function cut(text: string): string {
  return text.length <= PREVIEW_CHARACTERS ? text : `${text.slice(0, PREVIEW_CHARACTERS - 1)}…`;
}

export function timeOf(ms: number): string {
  return ms === 0 ? '' : new Date(ms).toISOString();
}

/** `1 key`, `2 keys`. */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

const ERASE_LINE = '\r\u001b[K';

/** In one line of the terminal, over what it said before; nothing where nobody watches, or where it would be among results. */
export function showProgress(io: Io, text: string): void {
  if (io.stderrIsTTY) io.err(`${ERASE_LINE}${text}`);
}

/** The line is free again. */
export function endProgress(io: Io): void {
  if (io.stderrIsTTY) io.err(ERASE_LINE);
}
