import { randomUUID } from "node:crypto";
import { onAbort } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { TopoErrorCode, isTopoError, unlessAbsent } from "@multipooler/topo";
import type { CellStore, PoolerOwner, Session, Version, Versioned } from "@multipooler/topo";
import { hostAndPort } from "../address-text.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import type { PoolerDescription } from "../manager-options.ts";
import { poolerId } from "../manager-settings.ts";
import { recordId } from "./pooler-record.ts";
import { hasEnded, ownProcess } from "./process-identity.ts";
import type { OtherOwner } from "./publisher-status.ts";

/** How long the store keeps a name after the last sign of life of the process that uses it. */
const SESSION_TTL_MS = 10_000;
/** How long the name of a process that died can still look used, wherever its machine is. */
const VERDICT_MS = SESSION_TTL_MS + 5_000;

/**
 * Whether the pooler's name is its own. Only its holder writes the record and serves.
 *
 * | from              | to        | when                                                             |
 * | ----------------- | --------- | ---------------------------------------------------------------- |
 * | free              | held      | nobody uses the name, or a process of this machine that has ended |
 * | held              | free      | the session is lost, or the key is gone: nobody else has it       |
 * | free              | contested | another process has it, which may have died: its session tells    |
 * | contested         | taken     | its session still lives when a dead one's would have ended        |
 * | held              | taken     | another process has it now: it claimed it while the store was away, or lost its data |
 * | contested, taken  | held      | the other one gave it up                                          |
 *
 * A store that does not answer changes nothing.
 */
type Tenure =
  | { readonly name: "free" }
  | { readonly name: "held"; readonly session: Session }
  | { readonly name: "contested"; readonly owner: PoolerOwner; readonly verdictAt: number }
  | { readonly name: "taken"; readonly owner: PoolerOwner };

export interface NameClaimOptions {
  readonly cell: Pick<CellStore, "owners" | "openSession">;
  readonly pooler: PoolerDescription;
  readonly clock: Clock;
  /** Called when the session is lost: the name has to be claimed again. */
  readonly onLost: () => void;
}

/** Whether `error` says that another process uses the pooler's name. */
export function isNameInUse(error: unknown): error is ManagerError {
  return error instanceof ManagerError && error.code === ManagerErrorCode.NameInUse;
}

/** Claims the pooler's name in its cell for one run, so that no two processes use it at once. */
export class NameClaim {
  readonly #options: NameClaimOptions;
  readonly #run: string = randomUUID();
  readonly #since: Date;
  #session: Session | undefined;
  #tenure: Tenure = { name: "free" };

  constructor(options: NameClaimOptions) {
    this.#options = options;
    this.#since = new Date(options.clock.now());
  }

  /** The process that has the name instead of this one. */
  get otherOwner(): OtherOwner | undefined {
    const tenure = this.#tenure;
    switch (tenure.name) {
      case "free":
      case "held":
        return undefined;
      case "contested":
        return { owner: tenure.owner, isAlive: false };
      case "taken":
        return { owner: tenure.owner, isAlive: true };
    }
  }

  /** How long it takes until a contested name counts as taken. */
  get verdictInMs(): number {
    const tenure = this.#tenure;
    return tenure.name === "contested"
      ? Math.max(0, tenure.verdictAt - this.#options.clock.monotonic())
      : Number.POSITIVE_INFINITY;
  }

  isOwn({ run }: PoolerOwner): boolean {
    return run === this.#run;
  }

  /**
   * Asks the store whether the name is this run's, and claims it where it is free. Rejects with
   * NAME_IN_USE where another process has it.
   */
  async hold(signal: AbortSignal): Promise<void> {
    for (;;) {
      const session = await this.#openSession(signal);
      const found = await this.#find(signal);
      const tenure = this.#tenure;
      if (found !== undefined && this.isOwn(found.record)) {
        if (tenure.name === "held" && tenure.session === session) {
          return;
        }
      } else if (found !== undefined && !this.#isLeftBehind(found.record)) {
        throw this.#refuse(found.record);
      }
      if (await this.#write(found?.version, session, signal)) {
        this.#tenure = { name: "held", session };
        return;
      }
    }
  }

  /** Gives the name up, so that the next process has it at once; never rejects. */
  async release(signal: AbortSignal | undefined): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    this.#tenure = { name: "free" };
    // A session that cannot be ended now ends in time by itself.
    await session?.close({ signal }).catch(() => undefined);
  }

  /** Leaves the name to the store, which ends the session in time. */
  abandon(): void {
    this.#session?.orphan();
    this.#session = undefined;
    this.#tenure = { name: "free" };
  }

  async #openSession(signal: AbortSignal): Promise<Session> {
    if (this.#session?.signal.aborted === false) {
      return this.#session;
    }
    const { cell, onLost } = this.#options;
    const session = await cell.openSession({ ttlMs: SESSION_TTL_MS, signal });
    this.#session = session;
    onAbort(session.signal, () => {
      if (this.#session === session) {
        this.#session = undefined;
        this.#lose();
        onLost();
      }
    });
    return session;
  }

  async #find(signal: AbortSignal): Promise<Versioned<PoolerOwner> | undefined> {
    const { cell, pooler } = this.#options;
    return await unlessAbsent(() => cell.owners.get(recordId(pooler), { signal }));
  }

  /** False where another process was faster. */
  async #write(
    version: Version | undefined,
    session: Session,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { cell, pooler } = this.#options;
    const owner: PoolerOwner = {
      run: this.#run,
      address: hostAndPort(pooler.hostname, pooler.ports()["grpc"] ?? 0),
      since: this.#since,
      process: ownProcess(),
    };
    const id = recordId(pooler);
    const { NodeExists, NoNode, BadVersion } = TopoErrorCode;
    try {
      if (version === undefined) {
        await cell.owners.create(id, owner, { session, signal });
      } else {
        await cell.owners.replace(id, owner, { version, session, signal });
      }
      return true;
    } catch (error) {
      if (isTopoError(error, NodeExists, NoNode, BadVersion)) {
        return false;
      }
      if (isTopoError(error, TopoErrorCode.SessionLost)) {
        // The store lost its data. The session itself would notice at its next renewal only.
        session.orphan();
      }
      throw error;
    }
  }

  #isLeftBehind({ process }: PoolerOwner): boolean {
    return hasEnded(process, ownProcess());
  }

  #lose(): void {
    if (this.#tenure.name === "held") {
      this.#tenure = { name: "free" };
    }
  }

  #refuse(owner: PoolerOwner): ManagerError {
    this.#tenure = this.#without(owner);
    const { pooler } = this.#options;
    const { cell, name } = pooler.identity;
    const who = `${poolerId(pooler.identity)}: the pooler at ${owner.address} has used cell ${JSON.stringify(cell)} and service id ${JSON.stringify(name)} since ${owner.since.toISOString()}`;
    return new ManagerError(
      ManagerErrorCode.NameInUse,
      this.#tenure.name === "taken"
        ? `${who}: stop it, or choose another service id`
        : `${who}; its session ends within ${VERDICT_MS / 1000} s if it has died`,
    );
  }

  /** Where it leaves the claim that `owner` has the name. */
  #without(owner: PoolerOwner): Tenure {
    const tenure = this.#tenure;
    const now = this.#options.clock.monotonic();
    switch (tenure.name) {
      case "free":
        return { name: "contested", owner, verdictAt: now + VERDICT_MS };
      case "contested":
        return now < tenure.verdictAt
          ? { name: "contested", owner, verdictAt: tenure.verdictAt }
          : { name: "taken", owner };
      case "held":
      case "taken":
        return { name: "taken", owner };
    }
  }
}
