import type { DatabaseHandle } from "@multipooler/controller-api";
import { PoolerErrorCode, QueryMode } from "@multipooler/query-service";
import type { CallOptions, LoginCredentials, LoginRequest } from "@multipooler/query-service";
import { untilAborted } from "../abort.ts";
import { MultiPoolerError, abortError } from "../error.ts";
import type { Holder } from "../serving/holders.ts";
import type { ServingGate } from "../serving/serving-gate.ts";
import { BatchedLookup } from "./batched-lookup.ts";
import { LOGIN_ROLES, loginCredentials, readLoginRoles } from "./login-role.ts";
import type { LoginRole } from "./login-role.ts";

export interface CredentialLookupOptions {
  readonly database: Pick<DatabaseHandle, "admin">;
  readonly gate: Pick<ServingGate, "enter" | "leave">;
}

/** Looks up the roles of clients that log in; see {@link BatchedLookup}. */
export class CredentialLookup {
  readonly #roles: BatchedLookup<string, LoginRole>;
  readonly #gate: CredentialLookupOptions["gate"];

  constructor({ database, gate }: CredentialLookupOptions) {
    this.#roles = new BatchedLookup({
      keyOf: (user) => user,
      ask: async (users) => readLoginRoles(await database.admin(LOGIN_ROLES, [users])),
    });
    this.#gate = gate;
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
    this.#gate.enter("reservation", QueryMode.Unspecified, holder);
    try {
      const ended = signal === undefined ? cut.signal : AbortSignal.any([cut.signal, signal]);
      const role = await untilAborted(this.#roles.get(user), ended);
      return role === undefined ? undefined : loginCredentials(user, role);
    } finally {
      this.#gate.leave(holder);
    }
  }
}
