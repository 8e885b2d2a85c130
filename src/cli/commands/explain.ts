import type { Explanation } from '../../client/index.js';
import { EXIT_DONE, EXIT_NOT_FOUND } from '../exit-codes.js';
import type { Io } from '../io.js';
import { formatOf, printJson, printLines, printTable, timeOf } from '../output.js';
import { withClient } from '../session.js';
import type { CommonOptions } from '../session.js';

export interface ExplainOptions extends CommonOptions {
  readonly node?: string;
}

export async function runExplain(io: Io, key: string, options: ExplainOptions): Promise<number> {
  const { reply, owners, fallbacks } = await withClient(io, options, async (client) => {
    await client.connect();
    const list = client.preferenceList(key).map((node) => `${node.id.slice(0, 8)} ${node.address}`);
    const replicaCount = client.ring()?.replicaCount ?? list.length;
    return {
      reply: await client.explain(key, { node: options.node }),
      owners: list.slice(0, replicaCount),
      fallbacks: list.slice(replicaCount),
    };
  });
  const format = formatOf(io, options.output);
  if (format === 'json') printJson(io, { key, owners, fallbacks, ...reply });
  else if (format === 'raw')
    printLines(io, [
      ...factsOf(key, reply, owners, fallbacks),
      ...siblingRows(reply).map((row) => ['version', ...row]),
    ]);
  else {
    printTable(io, ['what', key], factsOf(key, reply, owners, fallbacks).slice(1));
    if (reply.siblings.length > 0)
      printTable(io, ['dot', 'kind', 'bytes', 'written', 'expires', 'put id', 'shown'], siblingRows(reply));
  }
  return reply.found ? EXIT_DONE : EXIT_NOT_FOUND;
}

function factsOf(
  key: string,
  reply: Explanation,
  owners: readonly string[],
  fallbacks: readonly string[],
): readonly (readonly string[])[] {
  return [
    ['key', key],
    ['state', reply.state],
    ['partition', String(reply.partition)],
    ['key hash', reply.keyHash],
    ['owners', owners.join(', ')],
    ['fallbacks, in order', fallbacks.join(', ') || 'none'],
    ['as node', reply.node],
    ['stored in', reply.storedIn || 'nowhere'],
    ['record bytes', String(reply.recordBytes)],
    ['mark', reply.mark || 'none'],
    ['context', reply.context.map(({ actor, counter }) => `${actor}:${counter}`).join(' ') || 'empty'],
    ['remembered put ids', reply.rememberedPutIds.join(' ') || 'none'],
    ...(reply.reaping === '' ? [] : [['to be reaped', reply.reaping]]),
    ['put ids cut below', reply.cutSeconds === 0 ? 'never' : timeOf(reply.cutSeconds * 1000)],
  ];
}

function siblingRows(reply: Explanation): readonly (readonly string[])[] {
  return reply.siblings.map((sibling) => [
    sibling.dot,
    sibling.tombstone ? 'tombstone' : 'value',
    String(sibling.valueBytes),
    `${timeOf(sibling.writtenMs)}+${sibling.logical}`,
    timeOf(sibling.expiresMs) || 'never',
    sibling.putId,
    sibling.hidden === '' ? 'yes' : `no: ${sibling.hidden}`,
  ]);
}
