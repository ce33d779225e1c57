import type { CallOptions } from "@multipooler/query-service";
import { Deadline, sleep } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import type { ActionLease } from "../actions/action-lock.ts";
import { requireRecovery } from "../actions/guardrails.ts";
import type { RecoveryState } from "../actions/guardrails.ts";
import type { DedicatedConnection } from "../postgres/dedicated-connection.ts";
import { booleanOf, onlyRow } from "../postgres/row.ts";
import type { Row } from "../postgres/row.ts";
import { interrupted } from "./replication-fault.ts";

export interface ReplicationSessionOptions {
  readonly connection: DedicatedConnection;
  readonly clock: Clock;
  /** PostgreSQL's own limit on a statement of the connection. */
  readonly statementTimeoutMs: number;
  /** Aborts when nobody waits for the session any more. */
  readonly signal: AbortSignal;
}

/** How long and how often to look. */
export interface Polling {
  readonly intervalMs: number;
  /** `undefined`: the signal alone bounds it. */
  readonly timeoutMs: number | undefined;
}

/** PostgreSQL has the same limit, and its cancel is to come first: it leaves no process behind. */
const CUT_GRACE_MS = 250;

/** One connection for one call, each statement bounded. Its owner closes the connection. */
export class ReplicationSession {
  readonly #options: ReplicationSessionOptions;

  constructor(options: ReplicationSessionOptions) {
    this.#options = options;
  }

  /** Runs a statement that changes nothing. */
  async read(sql: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    return await this.#run(sql, values, this.#options.signal);
  }

  /** Runs a statement that changes the server, to its end even where nobody waits any more. */
  async change(
    lease: ActionLease,
    sql: string,
    values: readonly unknown[] = [],
  ): Promise<readonly Row[]> {
    this.#throwIfAborted();
    lease.requireHeld();
    return await this.#run(sql, values, undefined);
  }

  /** Rejects with FAILED_PRECONDITION where the server is not in the state. */
  async require(state: RecoveryState): Promise<void> {
    requireRecovery(state, { inRecovery: await this.isInRecovery() });
  }

  async isInRecovery(): Promise<boolean> {
    return booleanOf(
      onlyRow(await this.read("SELECT pg_is_in_recovery() AS in_recovery")),
      "in_recovery",
    );
  }

  /**
   * Looks again and again until something other than `undefined` is found. Resolves with
   * `undefined` when the time is over; the first look is at once and the last at its end.
   */
  async poll<T>(
    look: () => Promise<T | undefined>,
    { intervalMs, timeoutMs = Infinity }: Polling,
  ): Promise<T | undefined> {
    const { clock, signal } = this.#options;
    const end = clock.monotonic() + timeoutMs;
    for (;;) {
      const restMs = end - clock.monotonic();
      const found = await look();
      if (found !== undefined || restMs <= 0) {
        return found;
      }
      await sleep(clock, Math.min(intervalMs, restMs), signal);
      this.#throwIfAborted();
    }
  }

  async #run(
    sql: string,
    values: readonly unknown[],
    signal: AbortSignal | undefined,
  ): Promise<readonly Row[]> {
    const { connection, clock, statementTimeoutMs } = this.#options;
    const ms = statementTimeoutMs + CUT_GRACE_MS;
    using bound = new Deadline({ clock, ms, what: "a statement", signal });
    return await connection.query(sql, values, { signal: bound.signal } satisfies CallOptions);
  }

  #throwIfAborted(): void {
    const { signal } = this.#options;
    if (signal.aborted) {
      throw interrupted(signal);
    }
  }
}
