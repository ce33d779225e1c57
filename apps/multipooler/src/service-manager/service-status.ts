import type { ManagerStatus } from "@multipooler/manager";
import { PeriodicTask } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";

/** Signs of life in the time that the service manager waits for one. */
const SIGNS_PER_LIMIT = 2;
const MAX_STATUS_LENGTH = 400;
/** How long an end may wait for what is being told. */
const FAREWELL_MS = 1000;

type ShownStatus = Pick<ManagerStatus, "serving" | "notReadyReason">;

export interface ServiceStatusOptions {
  /** Tells the service manager; gives up when the signal aborts. */
  readonly notify: (
    fields: readonly string[],
    options: { readonly signal: AbortSignal },
  ) => Promise<void>;
  /** How often it wants a sign of life, at least; `undefined`: never. */
  readonly watchdogMs: number | undefined;
  /** Calls the listener after each change, until what it returns is called. */
  readonly watchStatus: (listener: (status: ShownStatus) => void) => () => void;
  readonly clock: Clock;
  /** Gets why the service manager could not be told, once until it could again. */
  readonly complain: (error: unknown) => void;
}

/**
 * Keeps the service manager informed: ready, stopping, what the pooler does, and that its event loop
 * turns. One message at a time; what changes meanwhile goes into the next.
 */
export class ServiceStatus implements AsyncDisposable {
  readonly #options: ServiceStatusOptions;
  /** What was not told yet, by the name of the field. */
  readonly #pending = new Map<string, string>();
  readonly #watchdog: PeriodicTask | undefined;
  readonly #unwatch: () => void;
  readonly #end = new AbortController();
  #telling: Promise<void> | undefined;
  #hasFailed = false;
  #shown = "";

  constructor(options: ServiceStatusOptions) {
    this.#options = options;
    const { watchdogMs, watchStatus, clock } = options;
    this.#unwatch = watchStatus((status) => this.#show(statusText(status)));
    if (watchdogMs !== undefined) {
      this.#watchdog = new PeriodicTask({
        clock,
        run: () => {
          this.#tell("WATCHDOG", "1");
          return Promise.resolve(watchdogMs / SIGNS_PER_LIMIT);
        },
      });
      this.#watchdog.open();
    }
  }

  /** Clients can connect. */
  ready(): void {
    this.#tell("READY", "1");
  }

  /** It drains and ends. */
  stopping(): void {
    this.#tell("STOPPING", "1");
  }

  /** Resolves when everything was told, or could not be within a second. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#unwatch();
    await this.#watchdog?.close();
    const limit = this.#options.clock.setTimer(() => this.#end.abort(), FAREWELL_MS);
    await this.#telling;
    limit.cancel();
  }

  #show(text: string): void {
    if (text !== this.#shown) {
      this.#shown = text;
      this.#tell("STATUS", text);
    }
  }

  #tell(field: string, value: string): void {
    this.#pending.set(field, value);
    this.#telling ??= this.#tellAll();
  }

  async #tellAll(): Promise<void> {
    const { signal } = this.#end;
    while (this.#pending.size > 0 && !signal.aborted) {
      const fields = [...this.#pending].map(([field, value]) => `${field}=${value}`);
      this.#pending.clear();
      try {
        await this.#options.notify(fields, { signal });
        this.#hasFailed = false;
      } catch (error) {
        if (!this.#hasFailed) {
          this.#options.complain(error);
        }
        this.#hasFailed = true;
      }
    }
    this.#telling = undefined;
  }
}

/** One line; a line break would begin another field. */
function statusText({ serving: { current, wanted }, notReadyReason }: ShownStatus): string {
  const now = `${current.role} ${current.status}`;
  const next = wanted === undefined ? "" : `, wanted ${wanted.role} ${wanted.status}`;
  const why = notReadyReason === undefined ? "" : `: not ready: ${notReadyReason}`;
  return `${now}${next}${why}`.replaceAll(/\p{Cc}+/gu, " ").slice(0, MAX_STATUS_LENGTH);
}
