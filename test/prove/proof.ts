/** What `npm run prove -- NAME` runs: a question about the whole program, answered with figures. */
export type Print = (line: string) => void;

/** The last lines of what a cluster has said, when a proof could not be taken to its end. */
export function printTail(transcript: string, lines: number, print: Print): void {
  for (const line of transcript.split('\n').slice(-lines)) print(`| ${line.slice(0, 400)}`);
}

export interface Proof {
  readonly name: string;
  /** One sentence, for `--list`. */
  readonly question: string;
  /**
   * `full`: the figures that the documents cite; otherwise a form of it that takes minutes at most. Throwing means that
   * the question could not be put at all (a tool is missing); it counts as not held.
   */
  run(options: { readonly full: boolean; readonly print: Print }): Promise<{
    readonly held: boolean;
    /** The figures, in one line. */
    readonly summary: string;
  }>;
}
