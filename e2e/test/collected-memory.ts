import type { PoolerProcess } from "@multipooler/pooler-process";

/** Ignored by the program, and not used for anything by Node. */
const SIGNAL = "SIGWINCH";
/** The last resort of V8 returns what it holds in reserve, too. */
const SCRIPT = `process.on("${SIGNAL}", () => {
  gc({ type: "major", execution: "sync", flavor: "last-resort" });
  const { heapUsed, external, rss } = process.memoryUsage();
  process.stderr.write("collected " + JSON.stringify({ live: heapUsed + external, resident: rss }) + "\\n");
});`;

/** Options for Node with which {@link collectedMemory} works. */
export const COLLECTING: readonly string[] = [
  "--expose-gc",
  `--import=data:text/javascript,${encodeURIComponent(SCRIPT)}`,
];

/** What a process keeps in memory, in bytes, after a garbage collection. */
export interface Memory {
  /** Objects, and buffers outside the heap. */
  readonly live: number;
  /** All memory of the process, what the allocators have not returned included. */
  readonly resident: number;
}

/** Makes the pooler collect garbage; it was started with {@link COLLECTING}. */
export async function collectedMemory(pooler: PoolerProcess): Promise<Memory> {
  const answers = (): RegExpMatchArray[] => [
    ...pooler.complaints().matchAll(/collected {"live":(\d+),"resident":(\d+)}\n/g),
  ];
  // What one collection finds dead is freed beside it, and returned to the system by the next.
  for (let count = 0; count < 3; count += 1) {
    const before = answers().length;
    pooler.kill(SIGNAL);
    while (answers().length === before) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  const [, live, resident] = answers().at(-1) ?? [];
  return { live: Number(live), resident: Number(resident) };
}
