/*
 * Feature levels: how a cluster whose nodes run two releases, as during an upgrade, stays one that all of them understand.
 *
 * What nodes send and store may change in ways that an older release would misread. Each such change is a feature of a
 * level; the ring document says at which level its cluster is (absent in old ones: 1), and what is above that level is
 * neither sent nor written. So while a cluster is upgraded, node by node, everything that lies on a disk can be read by
 * the release before, and each step can be taken back. When all members understand more, an administrator raises the level by
 * `partita cluster finalize`, which makes a ring version: decided by the voters like the others, and never taken back.
 *
 * A ring above level 1 has a format of its own, which releases that know no levels refuse. A node whose build does not
 * understand the level of its ring does not start, installs no such ring, votes for none, and is turned away by the others.
 *
 * A new level: raise LEVEL_MAX, say which release brings it, and name its features. A new cluster begins at the newest.
 *
 * A new format of a file is a feature, too, so that it is not written before its level. The ring is the first that is read
 * of a directory; so whoever has a release that is too old is told by it which one is needed. Each file names its own format
 * all the same, and is refused, never taken for damaged, if that is newer than what the release reads.
 */

/** That of package.json; test/tidy.test.ts holds the two together. */
const RELEASE = '0.1.0';

const LEVEL_MIN = 1;
const LEVEL_MAX = 2;

/** The first release that understands a level. Written into rings, so that one which does not can say what is needed. */
const RELEASES: ReadonlyMap<number, string> = new Map([[2, '0.1.0']]);

/**
 * Features by their level.
 *
 * compaction  ReapAsk.compact and Reap.compact. A node that does not know the field would read an order to free a living
 *             record of what is over in it as one to forget the record.
 * surveys     LOADS and SPACE, and what archives ask of members. A node that does not know a kind ends the connection.
 */
const FEATURES = { compaction: 2, surveys: 2 } as const;

export type Feature = keyof typeof FEATURES;

/** What a node is, for those whom it works with. */
export interface Build {
  /** Empty: one from before releases said what they are. */
  readonly release: string;
  /** Feature levels that it understands. */
  readonly levelMin: number;
  readonly levelMax: number;
}

export const BUILD: Build = { release: RELEASE, levelMin: LEVEL_MIN, levelMax: LEVEL_MAX };

/** Of a node that says nothing about levels. */
export const FIRST_BUILD: Build = { release: '', levelMin: 1, levelMax: 1 };

export const FIRST_LEVEL = 1;

export function isOn({ level }: { readonly level: number }, feature: Feature): boolean {
  return level >= FEATURES[feature];
}

/** Whether a node can be asked for it, whatever the level of the cluster is: nothing of it lasts. */
export function canBeAsked({ levelMax }: Pick<Build, 'levelMax'>, feature: Feature): boolean {
  return levelMax >= FEATURES[feature];
}

/** Empty: any release will do, or it is not known here which. */
export function releaseOfLevel(level: number): string {
  return RELEASES.get(level) ?? '';
}

export function isUnderstood(level: number, { levelMin, levelMax }: Build): boolean {
  return levelMin <= level && level <= levelMax;
}

/** "release 0.1.0 (feature levels 1 to 2)" */
export function buildText({ release, levelMin, levelMax }: Build): string {
  const levels = levelMin === levelMax ? `level ${levelMin}` : `levels ${levelMin} to ${levelMax}`;
  return `${release === '' ? 'a release that names no levels' : `release ${release}`} (feature ${levels})`;
}

/**
 * Why a build cannot live at a level and what to do, after "it" or "the cluster"; null: it can. `needed`: the release that
 * whoever raised the level has named; empty: it did not.
 */
export function levelFault(level: number, needed: string, build: Build): string | null {
  if (isUnderstood(level, build)) return null;
  const own = `this is ${buildText(build)}`;
  if (level > build.levelMax)
    return `is at feature level ${level}, and ${own}: install Partita ${needed === '' ? 'of a newer release' : `${needed} or later`} on this node`;
  return `is at feature level ${level}, which is too old for this release; ${own}. Install the release before on all nodes, run partita cluster finalize, and then upgrade`;
}

/** Of a file whose format is not among those that this release reads: nothing of it is touched. */
export function newerFormatText(what: string, format: number, formatMax: number): string {
  const known = formatMax === 1 ? 'format 1' : `formats 1 to ${formatMax}`;
  return `${what} has format ${format}, and this is release ${RELEASE}, which reads ${known}: a newer release of Partita has written it. Install that release again, or one after it; or restore this directory from a copy that was made before the upgrade`;
}
