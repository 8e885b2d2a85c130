/** What `npm run prove -- NAME` runs: a question about the whole program, answered with figures. */
export interface Proof {
  readonly name: string;
  /** One sentence, for `--list`. */
  readonly question: string;
  /**
   * `full`: the figures that the documents cite; otherwise a form of it that takes minutes at most. Throwing means that
   * the question could not be put at all (a tool is missing); it counts as not held.
   */
  run(options: { readonly full: boolean; readonly print: (line: string) => void }): Promise<{
    readonly held: boolean;
    /** The figures, in one line. */
    readonly summary: string;
  }>;
}
