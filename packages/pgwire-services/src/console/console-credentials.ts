import { PoolerErrorCode } from "@multipooler/query-service";
import type { CallOptions, LoginCredentials, LoginRequest } from "@multipooler/query-service";
import { Deadline, PeriodicTask } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { isPoolerError } from "../login/refusal.ts";

/** Looks a role up as `QueryService.getCredentials` does. Also throws while there is no executor. */
export type CredentialSource = (
  request: LoginRequest,
  options: CallOptions,
) => Promise<LoginCredentials | undefined>;

const REFRESH_MS = 60_000;
/** While the server has not been reached yet. */
const RETRY_MS = 1000;
const TIMEOUT_MS = 5000;

/**
 * The credentials of the roles that may use the console. They are remembered, so that the console
 * opens while the server does not answer: with the password that was right a minute ago. Other roles
 * are not remembered.
 */
export class ConsoleCredentials {
  readonly #users: () => readonly string[];
  readonly #source: CredentialSource;
  readonly #clock: Clock;
  readonly #known = new Map<string, LoginCredentials>();
  readonly #task: PeriodicTask;

  constructor(options: {
    readonly users: () => readonly string[];
    readonly source: CredentialSource;
    readonly clock: Clock;
  }) {
    const { users, source, clock } = options;
    this.#users = users;
    this.#source = source;
    this.#clock = clock;
    this.#task = new PeriodicTask({ clock, run: (signal) => this.#refresh(signal) });
  }

  open(): void {
    this.#task.open();
  }

  async close(): Promise<void> {
    await this.#task.close();
    this.#known.clear();
  }

  /** As the server has them now, or had them last if it does not answer. Rejects as the source does. */
  async get(request: LoginRequest, options: CallOptions): Promise<LoginCredentials | undefined> {
    const { user } = request;
    try {
      const found = await this.#source(request, options);
      this.#remember(user, found);
      return found;
    } catch (error) {
      if (isRefusal(error)) {
        this.#known.delete(user);
        throw error;
      }
      const known = this.#known.get(user);
      if (known === undefined || options.signal?.aborted === true) {
        throw error;
      }
      return known;
    }
  }

  #remember(user: string, credentials: LoginCredentials | undefined): void {
    if (credentials === undefined) {
      this.#known.delete(user);
    } else if (this.#users().includes(user)) {
      this.#known.set(user, credentials);
    }
  }

  async #refresh(signal: AbortSignal): Promise<number> {
    const what = "looking up the users of the console";
    using deadline = new Deadline({ clock: this.#clock, ms: TIMEOUT_MS, what, signal });
    const results = await Promise.allSettled(
      this.#users().map(async (user) => {
        await this.get({ user, database: "" }, { signal: deadline.signal });
      }),
    );
    const isAnswered = results.every(({ status }) => status === "fulfilled");
    return isAnswered || this.#known.size > 0 ? REFRESH_MS : RETRY_MS;
  }
}

/** The server has answered, and the role may not log in. */
function isRefusal(error: unknown): boolean {
  return isPoolerError(error) && error.code === PoolerErrorCode.AuthenticationFailed;
}
