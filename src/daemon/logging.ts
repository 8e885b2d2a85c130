/*
 * Log lines are JSON, one an event, on standard output. Under systemd the journal takes the severity from a prefix
 * (`<6>`), so each line gets one; systemd says that standard output is its journal by JOURNAL_STREAM=device:inode.
 *
 * Values and keys of users are never logged. Nothing is logged per successful request.
 */
import { fstatSync } from 'node:fs';
import { destination, pino, stdTimeFunctions, symbols } from 'pino';
import type { DestinationStream, Logger } from 'pino';
import type { Log } from '../env/meter.js';
import type { LogLevel } from './config-types.js';

export interface ProcessLog extends Log {
  readonly level: string;
  setLevel(level: LogLevel): void;
  /** Last words before the process ends: written when this returns. */
  fatal(event: string, fields?: Readonly<Record<string, unknown>>): void;
  /** The same log with fields on every line. */
  with(fields: Readonly<Record<string, unknown>>): ProcessLog;
}

export interface LogOptions {
  readonly level: LogLevel;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** For tests; standard output otherwise. */
  readonly write?: (line: string) => void;
  readonly journal?: boolean;
}

/** pino's level numbers → syslog's. */
function syslogPriority(level: number): number {
  if (level >= 60) return 2;
  if (level >= 50) return 3;
  if (level >= 40) return 4;
  return level >= 30 ? 6 : 7;
}

/** Is file descriptor `fd` the journal's stream? Someone may have redirected it since systemd set the variable. */
export function isJournal(env: Readonly<Record<string, string | undefined>>, fd: number): boolean {
  const named = env['JOURNAL_STREAM'];
  if (named === undefined) return false;
  try {
    const { dev, ino } = fstatSync(fd);
    return named === `${dev}:${ino}`;
  } catch {
    return false; // closed: then it is nobody's
  }
}

class LevelPrefix implements DestinationStream {
  /** Asks pino to leave the level of the line in `lastLevel` before it calls `write`. */
  readonly [symbols.needsMetadataGsym] = true;
  lastLevel: number = 30;
  readonly #write: (line: string) => void;

  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  write(line: string): void {
    this.#write(`<${syslogPriority(this.lastLevel)}>${line}`);
  }
}

export function openLog(options: LogOptions): ProcessLog {
  // Synchronous: the last line before a crash is the one that matters, and lines are few.
  const stdout = options.write === undefined ? destination({ fd: 1, sync: true }) : null;
  const write = options.write ?? ((line: string): void => void stdout?.write(line));
  const journal = options.journal ?? isJournal(options.env, 1);
  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    journal ? new LevelPrefix(write) : { write },
  );
  return adapt(logger);
}

function adapt(logger: Logger): ProcessLog {
  return {
    debug: (event, fields) => {
      logger.debug({ event, ...fields });
    },
    info: (event, fields) => {
      logger.info({ event, ...fields });
    },
    warn: (event, fields) => {
      logger.warn({ event, ...fields });
    },
    error: (event, fields) => {
      logger.error({ event, ...fields });
    },
    fatal: (event, fields) => {
      logger.fatal({ event, ...fields });
    },
    get level() {
      return logger.level;
    },
    setLevel: (level) => {
      logger.level = level;
    },
    with: (fields) => adapt(logger.child({ ...fields })),
  };
}
