import type { DatabaseHandle } from "@multipooler/controller-api";
import { sleep, untilAborted } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";

/** How often the server is asked whether processes that it was to end are gone. */
const LOOK_MS = 20;
/** Tells which of the processes `$1` are there, and ends those of `$2`. */
const END = `select pid::int4 as pid,
    case when pid = any($2::int4[]) then pg_catalog.pg_terminate_backend(pid) end
  from pg_catalog.pg_stat_activity where pid = any($1::int4[])`;

/**
 * Ends a server process whatever it runs, and resolves when it is gone. To be called while the session
 * of that process is open, since its PID is given to others later. Rejects if the server cannot be asked.
 */
export type TerminateProcess = (
  processId: number,
  options: { readonly signal: AbortSignal },
) => Promise<void>;

interface Ending {
  readonly processId: number;
  readonly signal: AbortSignal;
  readonly gone: PromiseWithResolvers<void>;
  isAsked: boolean;
}

export interface TerminationsOptions {
  readonly database: Pick<DatabaseHandle, "admin">;
  readonly clock: Clock;
}

/**
 * Ends processes over the manager's own connections, which run one statement at a time: those that are
 * to be ended together share it. One that waited for each process in turn would not come to all of them
 * before their time is up, when many clients give up at once.
 */
export class Terminations {
  readonly #options: TerminationsOptions;
  #endings: Ending[] = [];
  #isLooking = false;

  constructor(options: TerminationsOptions) {
    this.#options = options;
  }

  readonly end: TerminateProcess = async (processId, { signal }) => {
    const gone = Promise.withResolvers<void>();
    this.#endings.push({ processId, signal, gone, isAsked: false });
    if (!this.#isLooking) {
      void this.#look();
    }
    await untilAborted(gone.promise, signal);
  };

  /** Never rejects. */
  async #look(): Promise<void> {
    this.#isLooking = true;
    for (;;) {
      // The PID of one whose time is up may be another one's by now.
      this.#endings = this.#endings.filter(({ signal }) => !signal.aborted);
      const current = [...this.#endings];
      if (current.length === 0) {
        break;
      }
      try {
        await this.#ask(current);
      } catch (error) {
        this.#settle(current, ({ gone }) => gone.reject(error));
        continue;
      }
      if (this.#endings.length > 0 && this.#endings.every(({ isAsked }) => isAsked)) {
        await sleep(this.#options.clock, LOOK_MS, undefined);
      }
    }
    this.#isLooking = false;
  }

  async #ask(current: readonly Ending[]): Promise<void> {
    const { database } = this.#options;
    const fresh = current.filter(({ isAsked }) => !isAsked);
    for (const ending of fresh) {
      ending.isAsked = true;
    }
    const rows = await database.admin(END, [pidsOf(current), pidsOf(fresh)]);
    const left = new Set(rows.map(({ pid }) => pid));
    this.#settle(
      current.filter(({ processId }) => !left.has(processId)),
      ({ gone }) => gone.resolve(),
    );
  }

  #settle(endings: readonly Ending[], settle: (ending: Ending) => void): void {
    this.#endings = this.#endings.filter((ending) => !endings.includes(ending));
    for (const ending of endings) {
      settle(ending);
    }
  }
}

function pidsOf(endings: readonly Ending[]): number[] {
  return endings.map(({ processId }) => processId);
}
