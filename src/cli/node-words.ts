/*
 * A node of a new cluster, or one that joins, as one word of a command line:
 *
 *   NAME=HOST[:PORT][,peer=HOST:PORT][,zone=NAME][,capacity=N]
 *
 * PORT is 7700 unless said; peers connect at the port after it unless `peer` says where. A zone is a failure domain: a
 * rack, a room, a datacentre.
 */
import { formatAddress, parseAddress } from '../daemon/config-units.js';
import type { Address } from '../daemon/config-types.js';
import { isNodeName } from '../ring/ring-file.js';
import { CAPACITY_MAX } from '../ring/shares.js';
import { parseWhole } from './durations.js';
import { UsageError } from './io.js';

const CLIENT_PORT = 7700;
const PORT_MAX = 65_535;

export interface NodeWord {
  readonly name: string;
  readonly client: Address;
  readonly peer: Address;
  readonly zone: string;
  readonly capacity: number;
}

/** Throws UsageError. */
export function parseNodeWords(words: readonly string[]): readonly NodeWord[] {
  if (words.length === 0) throw new UsageError('--node: name each node of the cluster, --node a=10.0.0.1:7700');
  const nodes = words.map((word) => parseNodeWord(word));
  for (const [index, { name }] of nodes.entries()) {
    if (nodes.findIndex((other) => other.name === name) !== index)
      throw new UsageError(`--node: two nodes are called ${name}`);
  }
  return nodes;
}

/** `option`: where it stands on the command line; empty for an argument. Throws UsageError. */
export function parseNodeWord(word: string, option: string = '--node '): NodeWord {
  try {
    return nodeOf(word);
  } catch (error) {
    throw error instanceof UsageError ? new UsageError(`${option}${word}: ${error.message}`) : error;
  }
}

function nodeOf(word: string): NodeWord {
  const [head = '', ...rest] = word.split(',');
  const [name = '', address = '', ...more] = head.split('=');
  if (!isNodeName(name) || address === '' || more.length > 0)
    throw new UsageError('expected NAME=HOST:PORT first; a name has letters, digits, ".", "_" and "-"');
  const fields = fieldsOf(rest);
  const client = addressIn(address.includes(':') ? address : `${address}:${CLIENT_PORT}`);
  const peer = fields.get('peer');
  if (peer === undefined && client.port === PORT_MAX)
    throw new UsageError('there is no port after this one: add peer=');
  const zone = fields.get('zone') ?? '';
  if (!/^[\w.-]{0,64}$/.test(zone)) throw new UsageError('a zone has up to 64 letters, digits, ".", "_" and "-"');
  return {
    name,
    client,
    peer: peer === undefined ? { ...client, port: client.port + 1 } : addressIn(peer),
    zone,
    capacity: parseWhole(fields.get('capacity') ?? '1', 'capacity', 1, CAPACITY_MAX),
  };
}

function fieldsOf(rest: readonly string[]): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const part of rest) {
    const [field = '', value = '', ...more] = part.split('=');
    if (!['peer', 'zone', 'capacity'].includes(field) || value === '' || more.length > 0)
      throw new UsageError(`${JSON.stringify(part)} is not peer=HOST:PORT, zone=NAME or capacity=N`);
    if (fields.has(field)) throw new UsageError(`${field} is given twice`);
    fields.set(field, value);
  }
  return fields;
}

function addressIn(text: string): Address {
  const parsed = parseAddress(text);
  if (!parsed.ok) throw new UsageError(`${JSON.stringify(text)} is no address: expected ${parsed.expected}`);
  if (parsed.value.port === 0) throw new UsageError(`${formatAddress(parsed.value)}: port 0 cannot be dialled`);
  return parsed.value;
}
