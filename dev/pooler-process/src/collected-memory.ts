import type { PoolerProcess } from "./pooler-process.ts";

/** Ignored by the program, and not used for anything by Node. */
const SIGNAL = "SIGWINCH";
/** The last resort of V8 returns what it holds in reserve, too. */
const SCRIPT = `process.on("${SIGNAL}", () => {
  gc({ type: "major", execution: "sync", flavor: "last-resort" });
  const { heapUsed, external, rss } = process.memoryUsage();
  const handles = process.getActiveResourcesInfo().length;
  const figures = { live: heapUsed + external, resident: rss, handles };
  process.stderr.write("collected " + JSON.stringify(figures) + "\\n");
});`;
const ANSWER = /collected {"live":(\d+),"resident":(\d+),"handles":(\d+)}\n/g;
/** What one collection finds dead is freed beside it, and returned to the system by the next. */
const COLLECTIONS = 3;

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
  /** Sockets, timers and requests to the system that Node has open. */
  readonly handles: number;
}

/** Makes the pooler collect garbage; it was started with {@link COLLECTING}. Rejects if it ends. */
export async function collectedMemory(pooler: PoolerProcess): Promise<Memory> {
  const answers = (): RegExpMatchArray[] => [...pooler.complaints().matchAll(ANSWER)];
  let hasEnded = false;
  void pooler.exited.then(() => (hasEnded = true));
  for (let count = 0; count < COLLECTIONS; count += 1) {
    const before = answers().length;
    pooler.kill(SIGNAL);
    while (answers().length === before) {
      if (hasEnded) {
        throw new Error(`the pooler has ended: ${pooler.complaints()}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
  const [, live, resident, handles] = answers().at(-1) ?? [];
  return { live: Number(live), resident: Number(resident), handles: Number(handles) };
}
