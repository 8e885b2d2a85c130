/** What a checker found. `checker` is the name of its file; `key` is empty where no one key is concerned. */
export interface Violation {
  readonly checker: string;
  readonly key: string;
  readonly text: string;
}
