/*
 * Edits of the members as they come from a command line: read strictly, since a ring is for long, and told in words. A
 * node that joins has a name; it is for the ring file that the node is started with, and no part of the ring.
 */
import { isNodeId } from '../../model/ids.js';
import type { RingDocument } from '../../ring/document.js';
import type { RingEdit } from '../../ring/edits.js';
import { isNodeName } from '../../ring/ring-file.js';
import { CAPACITY_MAX } from '../../ring/shares.js';

export type StagedEdit = RingEdit & { readonly name?: string };

/** That wait for one commit. */
export const STAGED_MAX = 128;

type Fields = Readonly<Record<string, unknown>>;
type Rule = (value: unknown) => string | null;

const PORT_MAX = 65_535;

const ordinal: Rule = (value) =>
  Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 65_535 ? null : 'is not 1 to 65535';
const zone: Rule = (value) =>
  typeof value === 'string' && /^[\w.-]{0,64}$/.test(value) ? null : 'is not up to 64 letters, digits, ".", "_", "-"';
const capacity: Rule = (value) =>
  Number.isInteger(value) && (value as number) >= 1 && (value as number) <= CAPACITY_MAX
    ? null
    : `is not 1 to ${CAPACITY_MAX}`;
const nodeId: Rule = (value) =>
  typeof value === 'string' && isNodeId(value) ? null : 'is not 32 hexadecimal digits in lower case';
const name: Rule = (value) => (typeof value === 'string' && isNodeName(value) ? null : 'is no name of a node');
const address: Rule = (value) => {
  const [, port] = typeof value === 'string' ? (/^(?:[\w.-]+|\[[\da-fA-F:.]+\]):(\d{1,5})$/.exec(value) ?? []) : [];
  return port !== undefined && Number(port) >= 1 && Number(port) <= PORT_MAX ? null : 'is not HOST:PORT';
};

const SETTINGS = { address, peerAddress: address, zone, capacity };
/** All fields are needed, but those of `set`, which are what is to be other than it was. */
const FIELDS: Readonly<Record<RingEdit['kind'], Readonly<Record<string, Rule>>>> = {
  join: { name, nodeId, ...SETTINGS },
  leave: { ordinal },
  stay: { ordinal },
  remove: { ordinal },
  set: { ordinal, ...SETTINGS },
};

/** The edits in this text, or (a text) why they are none. */
export function readEdits(text: string): readonly StagedEdit[] | string {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return 'The edits are not JSON';
  }
  if (!Array.isArray(raw) || raw.length === 0) return 'The edits are not a list with at least one of them';
  if (raw.length > STAGED_MAX) return `${raw.length} edits at once; at most ${STAGED_MAX} can be staged`;
  const edits: StagedEdit[] = [];
  for (const [index, each] of (raw as readonly unknown[]).entries()) {
    const fault = editFault(each);
    if (fault !== null) return `Edit ${index + 1} ${fault}`;
    edits.push(each as StagedEdit);
  }
  return edits;
}

function editFault(raw: unknown): string | null {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return 'is not an object';
  const { kind, ...fields } = raw as Fields;
  if (typeof kind !== 'string' || !Object.hasOwn(FIELDS, kind))
    return `is of the kind ${JSON.stringify(kind)}, which is none of ${Object.keys(FIELDS).join(', ')}`;
  const rules = FIELDS[kind as RingEdit['kind']];
  for (const [field, value] of Object.entries(fields)) {
    if (!Object.hasOwn(rules, field)) return `(${kind}) has the field ${JSON.stringify(field)}, which is unknown`;
    const fault = rules[field]?.(value) ?? null;
    if (fault !== null) return `(${kind}): ${field} ${JSON.stringify(value)} ${fault}`;
  }
  const needed = kind === 'set' ? ['ordinal'] : Object.keys(rules);
  const missing = needed.find((field) => !Object.hasOwn(fields, field));
  if (missing !== undefined) return `(${kind}) lacks ${missing}`;
  return kind === 'set' && Object.keys(fields).length < 2 ? '(set) sets nothing' : null;
}

/** One sentence each, without a full stop. */
export function editTexts({ members, ordinalNext }: RingDocument, edits: readonly StagedEdit[]): readonly string[] {
  let next = ordinalNext;
  return edits.map((edit) => {
    if (edit.kind === 'join') {
      const { address, zone, capacity } = edit;
      const more = [...(zone === '' ? [] : [`zone ${zone}`]), ...(capacity === 1 ? [] : [`capacity ${capacity}`])];
      next += 1;
      return `node ${next - 1} (${[edit.name ?? '', address, ...more].filter((part) => part !== '').join(', ')}) joins`;
    }
    const known = members.find((member) => member.ordinal === edit.ordinal)?.address;
    const whom = `node ${edit.ordinal}${known === undefined ? '' : ` (${known})`}`;
    if (edit.kind === 'leave') return `${whom} leaves`;
    if (edit.kind === 'stay') return `${whom} stays`;
    if (edit.kind === 'remove') return `${whom} is removed as lost`;
    return `${whom} gets ${settingsText(edit)}`;
  });
}

function settingsText({ address, peerAddress, zone, capacity }: RingEdit & { readonly kind: 'set' }): string {
  return [
    ...(address === undefined ? [] : [`the address ${address}`]),
    ...(peerAddress === undefined ? [] : [`the peer address ${peerAddress}`]),
    ...(zone === undefined ? [] : [zone === '' ? 'no zone' : `zone ${zone}`]),
    ...(capacity === undefined ? [] : [`capacity ${capacity}`]),
  ].join(', ');
}
