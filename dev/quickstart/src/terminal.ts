/** How the quickstart reaches people. */
export interface Terminal {
  print(line: string): void;
  /** Paths are shown relative to it. */
  readonly cwd: string;
}

/** Does something and prints how long it took. */
export async function timed<T>(
  terminal: Terminal,
  title: string,
  action: () => Promise<T>,
): Promise<T> {
  const start = performance.now();
  const result = await action();
  terminal.print(`${title} … ${((performance.now() - start) / 1000).toFixed(1)} s`);
  return result;
}
