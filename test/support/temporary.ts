/*
 * Directories that go away with the test. They lie under the system's temporary directory, on a real file system: an
 * fdatasync into a tmpfs proves nothing.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TemporaryFolder {
  readonly path: string;
  remove(): void;
}

export function temporaryFolder(name: string): TemporaryFolder {
  const path = mkdtempSync(join(tmpdir(), `partita-${name}-`));
  return {
    path,
    remove: () => {
      rmSync(path, { recursive: true, force: true });
    },
  };
}

/** The part of an AVA test context that cleaning up needs. */
export interface TeardownContext {
  teardown(clean: () => void | Promise<void>): void;
}

/** A folder that lives as long as the test. */
export function folderFor(t: TeardownContext, name: string): string {
  const folder = temporaryFolder(name);
  t.teardown(() => {
    folder.remove();
  });
  return folder.path;
}
