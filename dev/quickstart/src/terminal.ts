/** How the quickstart reaches people. */
export interface Terminal {
  print(line: string): void;
  /** Paths are shown relative to it. */
  readonly cwd: string;
}
