/* How the demo talks. */
import { relative } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import { styleText } from 'node:util';

const BETWEEN_STEPS_MS = process.stdout.isTTY ? 350 : 0;

/** As short as it can be typed here. */
export function shown(path: string): string {
  const short = relative('', path);
  return short.startsWith('..') ? path : short;
}

export function say(text: string = ''): void {
  process.stdout.write(`${text}\n`);
}

export function heading(text: string): void {
  say(`\n${styleText('bold', text)}`);
}

export async function step(code: string, ...answers: readonly string[]): Promise<void> {
  say(`  ${styleText('cyan', `› ${code}`)}`);
  for (const answer of answers) say(`    ${styleText('green', answer)}`);
  await rest(BETWEEN_STEPS_MS);
}

export function note(text: string): void {
  say(`    ${styleText('dim', text)}`);
}
