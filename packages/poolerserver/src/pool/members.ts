import type { MultiPoolerError } from "../error.ts";
import type { Backend } from "./backend.ts";
import { knownParameters } from "./known-parameters.ts";
import { busySessions, isHeldIdle } from "./member.ts";
import type { Member } from "./member.ts";
import type { PoolAccess } from "./pool.ts";
import { reportOf } from "./pool-report.ts";
import type { ServerReport } from "./pool-report.ts";

/** The sessions of a pool, and how many of them are being ended. */
export class Members {
  readonly #members = new Map<Backend, Member>();
  #leaving = 0;

  /** Those that are being ended included. */
  get size(): number {
    return this.#members.size;
  }

  /** Those that are being ended. */
  get leaving(): number {
    return this.#leaving;
  }

  /** Those that are not. */
  get staying(): number {
    return this.#members.size - this.#leaving;
  }

  /** Whether no session is left that could serve somebody again. */
  get isEmpty(): boolean {
    return this.#members.size === this.#leaving;
  }

  /** Whether there are some, and clients hold every one without asking anything of it. */
  get areHeldIdle(): boolean {
    return !this.isEmpty && this.#members.values().every(isHeldIdle);
  }

  add(member: Member): void {
    this.#members.set(member.backend, member);
  }

  /** A session is being ended from now on. Returns whether it was not before. */
  leave(member: Member): boolean {
    if (member.use === "leaving" || member.use === "ended") {
      return false;
    }
    member.use = "leaving";
    this.#leaving += 1;
    return true;
  }

  /** The socket of a session is closed. */
  remove(member: Member): void {
    if (this.#members.delete(member.backend) && member.use === "leaving") {
      this.#leaving -= 1;
    }
  }

  /** Those that somebody uses. */
  busy(): Iterable<Backend> {
    return busySessions(this.#members.values());
  }

  /** See {@link knownParameters}. */
  parameters(access: PoolAccess): ReadonlyMap<string, string> | undefined {
    return knownParameters(this.#members.values(), access);
  }

  /** @param isCurrent whether a session may be used again, as far as its age and its defaults tell */
  reports(isCurrent: (member: Member) => boolean): ServerReport[] {
    return [...this.#members.values()].map((member) => reportOf(member, isCurrent(member)));
  }

  /** Cuts every session, whatever runs on it. */
  cut(reason: MultiPoolerError): void {
    for (const backend of this.#members.keys()) {
      backend.destroy(reason);
    }
  }
}
