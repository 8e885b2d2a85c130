/*
 * What things in an archive are called. All of it is chosen here: nothing that stands in a file is ever taken for a path.
 * A name from outside (an option, a manifest, a folder's listing) is one of these or none.
 *
 *   TARGET/
 *     2026-11-23T23-45-00Z-1a2b3c/     one archive
 *       manifest.json                  what it is, and whether it is complete
 *       progress.ndjson                while it is being made: partitions that are there
 *       004d.mdb                       partition 77
 */
export const MANIFEST_NAME = 'manifest.json';
export const PROGRESS_NAME = 'progress.ndjson';
const NAME = /^\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}Z-[0-9a-f]{6}$/;

/** `iso`: when it begins, as ISO 8601 in UTC. `salt`: 24 bits. Names sort by time. */
export function archiveName(iso: string, salt: number): string {
  const time = iso.slice(0, 19).replaceAll(':', '-');
  return `${time}Z-${(salt & 0xff_ffff).toString(16).padStart(6, '0')}`;
}

export function isArchiveName(name: string): boolean {
  return NAME.test(name);
}

export function partitionFileName(partition: number): string {
  return `${partition.toString(16).padStart(4, '0')}.mdb`;
}

/** Under which it is written until it is whole. */
export function unfinishedFileName(partition: number): string {
  return `${partition.toString(16).padStart(4, '0')}.part`;
}
