/* The options that every command shares which talks to a node, and the client that they make. */
import { readFile } from 'node:fs/promises';
import { Option } from 'commander';
import type { Command } from 'commander';
import { Client, Context, PartitaError } from '../client/index.js';
import { parseDurationMs } from './durations.js';
import { UsageError } from './io.js';
import type { Io, OutputFormat } from './io.js';

export const DEFAULT_SERVER = '127.0.0.1:7700';
const TIMEOUT_MS_MAX = 60_000;

export interface CommonOptions {
  readonly server?: readonly string[];
  readonly output?: OutputFormat;
  readonly timeout?: string;
  readonly tokenFile?: string;
}

/** Before or after the command's name: on the program and on each command. */
export function addCommonOptions(command: Command): Command {
  return addOutputOption(command)
    .option(
      '-s, --server <host:port>',
      `node to talk to, may be repeated (default: PARTITA_SERVER, or ${DEFAULT_SERVER})`,
      (server: string, before: readonly string[] | undefined) => [...(before ?? []), server],
    )
    .option('--timeout <duration>', 'deadline of the command, 1ms to 60s (default: 5s)')
    .option('--token-file <file>', 'file with the token that the node asks for');
}

export function addOutputOption(command: Command): Command {
  return command.addOption(
    new Option('-o, --output <format>', 'table, json or raw (default: table on a terminal, else raw)').choices([
      'table',
      'json',
      'raw',
    ]),
  );
}

/** For commands that ask one node on its own machine. */
export function addAdminOptions(command: Command): Command {
  return command
    .option('--admin <unix:/path>', "the node's admin socket (default: as its configuration says)")
    .option('-c, --config <file>', 'the configuration of the node (default: PARTITA_CONFIG)');
}

export function serversOf(io: Io, options: CommonOptions): readonly string[] {
  if (options.server !== undefined) return options.server;
  const listed = (io.env['PARTITA_SERVER'] ?? '')
    .split(',')
    .map((server) => server.trim())
    .filter((server) => server !== '');
  return listed.length > 0 ? listed : [DEFAULT_SERVER];
}

export function timeoutMsOf(options: CommonOptions): number {
  const ms = parseDurationMs(options.timeout ?? '5s', '--timeout');
  if (ms > TIMEOUT_MS_MAX)
    throw new UsageError(`--timeout: ${options.timeout} is more than the 60s that a request may take`);
  return ms;
}

/** Runs `work` with a client, and closes it whatever comes. */
export async function withClient<R>(io: Io, options: CommonOptions, work: (client: Client) => Promise<R>): Promise<R> {
  const timeoutMs = timeoutMsOf(options);
  const token = options.tokenFile === undefined ? undefined : await readNamed(options.tokenFile, '--token-file');
  let client: Client;
  try {
    client = new Client({
      seeds: serversOf(io, options),
      timeoutMs,
      connectTimeoutMs: Math.min(timeoutMs, 3_000),
      clientName: 'partita',
      ...(token === undefined ? {} : { auth: { token: token.toString('utf8').trim() } }),
    });
  } catch (error) {
    throw new UsageError(`--server: ${error instanceof Error ? error.message : String(error)}`);
  }
  try {
    return await work(client);
  } finally {
    await client.close({ graceMs: 0 });
  }
}

/** The bytes of a file that an option names. */
export async function readNamed(file: string, option: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new UsageError(`${option}: cannot read ${file}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  }
}

export interface ContextOptions {
  readonly context?: string;
  readonly contextFile?: string;
}

/** The context that a put or delete was given. */
export async function contextOf(options: ContextOptions): Promise<Context | undefined> {
  const { context, contextFile } = options;
  if (context !== undefined && contextFile !== undefined)
    throw new UsageError('--context and --context-file: give one of them');
  if (context === undefined && contextFile === undefined) return undefined;
  const text = context ?? (await readNamed(contextFile ?? '', '--context-file')).toString('latin1');
  try {
    return Context.parse(text);
  } catch (error) {
    if (PartitaError.is(error))
      throw new UsageError(`${context === undefined ? '--context-file' : '--context'}: ${error.message}`);
    throw error;
  }
}
