import type { DatabaseHandle } from "@multipooler/controller-api";
import { PoolerErrorCode, QueryMode } from "@multipooler/query-service";
import type { CallOptions, LoginCredentials, LoginRequest } from "@multipooler/query-service";
import type { Clock } from "@multipooler/timing";
import { untilAborted } from "../abort.ts";
import { MultiPoolerError, abortError } from "../error.ts";
import type { Holder } from "../serving/holders.ts";
import type { ServingGate } from "../serving/serving-gate.ts";
import type { CredentialProblem, PoolerEventListener } from "../pooler-event.ts";
import { BatchedLookup } from "./batched-lookup.ts";
import { LOGIN_ROLES, loginCredentials, readLoginRoles } from "./login-role.ts";
import type { LoginRole } from "./login-role.ts";

export interface CredentialLookupOptions {
  readonly database: Pick<DatabaseHandle, "admin">;
  readonly gate: Pick<ServingGate, "enter" | "leave">;
  readonly clock: Clock;
  /** Gets what seldom happens, for metrics. */
  readonly onEvent?: PoolerEventListener | undefined;
}

/** Looks up the roles of clients that log in; see {@link BatchedLookup}. */
export class CredentialLookup {
  readonly #roles: BatchedLookup<string, LoginRole>;
  readonly #options: Omit<CredentialLookupOptions, "database">;

  constructor({ database, ...options }: CredentialLookupOptions) {
    this.#options = options;
    this.#roles = new BatchedLookup({
      keyOf: (user) => user,
      ask: async (users) => readLoginRoles(await database.admin(LOGIN_ROLES, [users])),
    });
  }

  /** See `QueryService.getCredentials`. */
  async get(
    { user }: LoginRequest,
    { signal }: CallOptions = {},
  ): Promise<LoginCredentials | undefined> {
    if (signal?.aborted === true) {
      throw abortError(signal);
    }
    if (user === "") {
      throw new MultiPoolerError(PoolerErrorCode.InvalidArgument, "the name of a role is missing");
    }
    const cut = new AbortController();
    const holder: Holder = { cut: (reason) => cut.abort(reason) };
    this.#options.gate.enter("reservation", QueryMode.Unspecified, holder);
    try {
      const ended = signal === undefined ? cut.signal : AbortSignal.any([cut.signal, signal]);
      return await this.#lookUp(user, ended);
    } finally {
      this.#options.gate.leave(holder);
    }
  }

  async #lookUp(user: string, signal: AbortSignal): Promise<LoginCredentials | undefined> {
    const { clock, onEvent } = this.#options;
    const startedAt = clock.monotonic();
    const note = (problem: CredentialProblem | undefined): void => {
      const durationMs = clock.monotonic() - startedAt;
      onEvent?.({ type: "credentialsRead", durationMs, problem });
    };
    try {
      const role = await untilAborted(this.#roles.get(user), signal);
      const credentials = role === undefined ? undefined : loginCredentials(user, role);
      note(credentials === undefined ? "user_not_found" : undefined);
      return credentials;
    } catch (error) {
      if (!signal.aborted) {
        note(credentialProblem(error));
      }
      throw error;
    }
  }
}

const EXPIRED = "28P01";

/** Which problem of a login an error is. */
function credentialProblem(error: unknown): CredentialProblem {
  if (!(error instanceof MultiPoolerError)) {
    return "db_error";
  }
  switch (error.code) {
    case PoolerErrorCode.AuthenticationFailed:
      return error.diagnostic?.code === EXPIRED ? "password_expired" : "login_disabled";
    case PoolerErrorCode.PreExecutionUnavailable:
      return "pool_acquire_failed";
    default:
      return "db_error";
  }
}
