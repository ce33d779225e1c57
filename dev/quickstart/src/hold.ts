import type { LocalPostgres } from "@multipooler/pgctld";
import type { Pooler } from "./pooler.ts";
import { untilReady } from "./probe.ts";
import type { Terminal } from "./terminal.ts";

/** What runs and has to be watched. */
export interface Held {
  readonly postgres: LocalPostgres;
  readonly pooler: Pooler;
  /** Where the pooler answers `/ready`. */
  readonly httpPort: number;
  /** True when the pooler is stopped together with this `npm start`. */
  readonly owned: boolean;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
}

/** How often a pooler without PostgreSQL is asked whether it serves again. */
const RECOVERY_POLL_MS = 500;

/**
 * Waits until there is nothing left to keep running, and says why. The result is the exit code.
 *
 * | what ends  | pooler owned                  | pooler of another `npm start` |
 * |------------|-------------------------------|-------------------------------|
 * | the signal | 0                             | 0                             |
 * | pooler     | 1                             | 0: it was stopped over there  |
 * | PostgreSQL | said; waits for the other two | 1                             |
 */
export async function hold(held: Held): Promise<number> {
  const { postgres, pooler, owned, terminal, signal } = held;
  const over = new AbortController();
  const { promise: stop, resolve } = Promise.withResolvers<"stop">();
  const onAbort = (): void => resolve("stop");
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) {
    onAbort();
  }
  const poolerEnded = pooler.ended.then((how) => ({ how }));
  const postgresStopped = postgres.untilStopped({ signal: over.signal });
  try {
    let event = await Promise.race([stop, poolerEnded, postgresStopped]);
    if (event === undefined) {
      terminal.print("PostgreSQL ended. Bring it back from another terminal: npm start");
      if (!owned) {
        return 1;
      }
      void announceRecovery(held, over.signal);
      event = await Promise.race([stop, poolerEnded]);
    }
    if (event === "stop") {
      terminal.print("\nstopping …");
      return 0;
    }
    terminal.print(`the pooler ended ${event.how}`);
    return owned ? 1 : 0;
  } finally {
    signal.removeEventListener("abort", onAbort);
    over.abort();
  }
}

/** Another `npm start` runs the next PostgreSQL, so only the pooler notices it. */
async function announceRecovery({ httpPort, terminal }: Held, over: AbortSignal): Promise<void> {
  await untilReady(false, httpPort, { signal: over }); // It may not have noticed yet.
  const answer = await untilReady(true, httpPort, { signal: over, pollMs: RECOVERY_POLL_MS });
  if (answer?.ready === true) {
    terminal.print("PostgreSQL is back, and the pooler serves again.");
  }
}
