export interface Proof {
  readonly name: string;
  readonly question: string;
  run(options: { readonly full: boolean; readonly print: (line: string) => void }): Promise<{
    readonly held: boolean;
    readonly summary: string;
  }>;
}
