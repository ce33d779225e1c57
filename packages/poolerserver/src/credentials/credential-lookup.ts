import type { DatabaseHandle } from "@multipooler/controller-api";
import { PoolerErrorCode, QueryMode } from "@multipooler/query-service";
import type { CallOptions, LoginCredentials, LoginRequest } from "@multipooler/query-service";
import { untilAborted } from "../abort.ts";
import { MultiPoolerError, abortError } from "../error.ts";
import type { Holder } from "../serving/holders.ts";
import type { ServingGate } from "../serving/serving-gate.ts";
import { LOGIN_ROLES, loginCredentials, readLoginRoles } from "./login-role.ts";
import type { LoginRole } from "./login-role.ts";
import { isUnknownText, lookupError } from "./lookup-error.ts";

export interface CredentialLookupOptions {
  readonly database: Pick<DatabaseHandle, "admin">;
  readonly gate: Pick<ServingGate, "enter" | "leave">;
}

type Answer = PromiseWithResolvers<LoginRole | undefined>;

/**
 * Looks up the roles of clients that log in. It has one question under way at a time, with all names
 * that were asked for since the one before: a thousand clients that come back at once keep neither
 * each other waiting nor the manager's other statements from their connections. An answer is never
 * older than the request that it is for.
 */
export class CredentialLookup {
  readonly #admin: DatabaseHandle["admin"];
  readonly #gate: CredentialLookupOptions["gate"];
  /** By name; for the next question. */
  #asked = new Map<string, Answer>();
  #isAsking = false;

  constructor({ database, gate }: CredentialLookupOptions) {
    this.#admin = (...statement) => database.admin(...statement);
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
      const role = await untilAborted(this.#ask(user), ended);
      return role === undefined ? undefined : loginCredentials(user, role);
    } finally {
      this.#gate.leave(holder);
    }
  }

  #ask(user: string): Promise<LoginRole | undefined> {
    const asked = this.#asked.get(user);
    if (asked !== undefined) {
      return asked.promise;
    }
    const answer: Answer = Promise.withResolvers();
    this.#asked.set(user, answer);
    if (!this.#isAsking) {
      void this.#askAll();
    }
    return answer.promise;
  }

  async #askAll(): Promise<void> {
    this.#isAsking = true;
    while (this.#asked.size > 0) {
      const asked = this.#asked;
      this.#asked = new Map();
      await this.#answer([...asked]);
    }
    this.#isAsking = false;
  }

  /** Never rejects. */
  async #answer(asked: readonly (readonly [user: string, answer: Answer])[]): Promise<void> {
    const names = asked.map(([user]) => user);
    try {
      const roles = readLoginRoles(await this.#admin(LOGIN_ROLES, [names]));
      for (const [index, [, answer]] of asked.entries()) {
        answer.resolve(roles.get(index + 1));
      }
    } catch (error) {
      await this.#answerFailure(asked, error);
    }
  }

  /** A name that is no text of the database's encoding is nobody's, and not the others' fault. */
  async #answerFailure(
    asked: readonly (readonly [user: string, answer: Answer])[],
    error: unknown,
  ): Promise<void> {
    const isUnknown = isUnknownText(error);
    if (isUnknown && asked.length > 1) {
      for (const one of asked) {
        await this.#answer([one]);
      }
      return;
    }
    for (const [, answer] of asked) {
      if (isUnknown) {
        answer.resolve(undefined);
      } else {
        answer.reject(lookupError(error));
      }
    }
  }
}
