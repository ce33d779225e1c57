import type { CallOptions } from "@multipooler/query-service";
import type { Clock } from "@multipooler/timing";
import type { ActionLease, ActionLock } from "../actions/action-lock.ts";
import type { Logger } from "../logger.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import type { ClaimRight } from "../record/claim-right.ts";
import { PoolerType } from "../record/pooler-type.ts";
import type { ServerPosition } from "../replication/replication-control.ts";
import type { TermRule } from "../terms/term-rules.ts";
import type { Terms } from "../terms/terms.ts";
import type { ActionJournal, RoleAction } from "./action-journal.ts";
import { demotionSteps } from "./demotion.ts";
import { beginAction, detailsOf, settledEntry, takeDemotionAlong } from "./journal-terms.ts";
import type { Beginning } from "./journal-terms.ts";
import { promotionSteps, undoingSteps } from "./promotion.ts";
import {
  checkDemotable,
  checkPromotable,
  checkShard,
  checkUndoable,
  isDemoted,
  isPromoted,
} from "./role-checks.ts";
import type { RoleFacts } from "./role-checks.ts";
import type { DemoteResult, RoleResult } from "./role-outcome.ts";
import type { DemoteRequest, PromoteRequest, RoleRequest } from "./role-request.ts";
import { checkRequest } from "./role-request.ts";
import { planOf, runSteps } from "./role-step.ts";
import type { RoleStep } from "./role-step.ts";
import type { RoleSubject } from "./role-subject.ts";
import type { ServerProcess } from "./server-process.ts";

export interface RoleVerbsOptions {
  readonly subject: RoleSubject;
  readonly serviceId: string;
  readonly lock: ActionLock;
  readonly terms: Terms;
  readonly journal: ActionJournal;
  /** `undefined`: nothing controls the server's process, and it cannot be demoted. */
  readonly process: ServerProcess | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

const DRAIN_TIMEOUT_MS = 5_000;
const NO_PROCESS_CONTROL =
  "nothing controls PostgreSQL's process here, so that it cannot be restarted as a standby: see --pgctld-addr";

/**
 * What changes the role of a pooler and its server. Each is a list of steps that may be repeated: after a
 * crash or a failure the verb is called again, and the pooler serves nothing in between. Once the first
 * step has begun, a caller that gives up changes nothing.
 *
 * Rejects with a `ManagerError`: NOT_OPEN, LOCK_NOT_ACQUIRED, INVALID_ARGUMENT, FAILED_PRECONDITION,
 * PROCESS_CONTROL_FAILED, UNSUPPORTED, TIMED_OUT, INTERNAL, and as `ReplicationControl` does.
 */
export class RoleVerbs {
  readonly #options: RoleVerbsOptions;

  constructor(options: RoleVerbsOptions) {
    this.#options = options;
  }

  /** Makes a primary of a standby. */
  async promote(request: PromoteRequest, options: CallOptions = {}): Promise<RoleResult> {
    return await this.#locked("Promote", options, async (lease) => {
      checkRequest(request);
      const facts = await this.#facts(options);
      await this.#requireTerm("exactly", request);
      const { serviceId, subject, journal, terms, logger } = this.#options;
      const { position } = facts;
      const { force, explain = false } = request;
      const right = this.#right(force === undefined ? "earlier terms" : "anybody");
      await checkPromotable(facts, request, { ...options, serviceId, subject, right, logger });
      if (isPromoted(facts, request)) {
        return { ...(await this.#done([], position, PoolerType.Primary)), wasAlready: true };
      }
      const synchronous =
        request.synchronous ?? detailsOf("Promote", facts, journal.entry).synchronous;
      const before = settledEntry(journal.entry);
      const promotion = { subject, journal, terms, right, before, synchronous, position };
      const steps = promotionSteps(promotion, lease);
      subject.requireTopology();
      if (!facts.isPending) {
        await checkShard(subject, right, options);
      }
      if (explain) {
        return this.#planned(steps, position);
      }
      await this.#run("Promote", steps, { facts, lease, synchronous });
      return await this.#done(steps, await subject.replication.position(), PoolerType.Primary);
    });
  }

  /** Makes a standby of a primary, one that follows nobody yet. */
  async demote(request: DemoteRequest, options: CallOptions = {}): Promise<DemoteResult> {
    return await this.#locked("Demote", options, async (lease) => {
      checkRequest(request);
      const { subject, journal, terms, process } = this.#options;
      const facts = await this.#demotionFacts(options);
      if (isDemoted(facts)) {
        const before = terms.current.number;
        await this.#requireTerm("at least", request);
        const isForced = request.force !== undefined && request.explain !== true;
        const repeated = { before, isForced, lease };
        const entry = await takeDemotionAlong({ journal, terms }, repeated);
        const { lsn, terminated = 0, synchronous } = entry ?? {};
        const result = await this.#done([], facts.position, PoolerType.Replica);
        return { ...result, lsn: lsn ?? result.lsn, wasAlready: true, terminated, synchronous };
      }
      // Everything that can refuse comes before the newer term: that takes the writes away, and a demotion
      // that is refused then would have nobody take them.
      const server = facts.position && (await subject.replication.mainProcess(options));
      await this.#requireProcess(process).check(server, options);
      checkDemotable(facts, this.#options.serviceId);
      subject.requireTopology();
      await this.#requireTerm("at least", request);
      return await this.#demote(request, facts, lease);
    });
  }

  /** Makes a primary again of a server that was just demoted, while it follows nobody else. */
  async undoDemote(
    { explain = false }: { readonly explain?: boolean | undefined } = {},
    options: CallOptions = {},
  ): Promise<RoleResult> {
    return await this.#locked("UndoDemote", options, async (lease) => {
      const { subject, terms, journal } = this.#options;
      const facts = await this.#facts(options);
      if (isPromoted(facts, {})) {
        const result = await this.#done([], facts.position, PoolerType.Primary);
        return { ...result, wasAlready: true };
      }
      const right = this.#right("nobody");
      subject.requireTopology();
      await checkUndoable(facts, journal.entry, { ...options, subject, right });
      const { synchronous } = journal.entry ?? {};
      const { position } = facts;
      const before = settledEntry(journal.entry);
      const undoing = { subject, journal, terms, right, before, synchronous, position };
      const steps = undoingSteps(undoing, lease);
      if (explain) {
        return this.#planned(steps, position);
      }
      await this.#run("UndoDemote", steps, { facts, lease });
      return await this.#done(steps, await subject.replication.position(), PoolerType.Primary);
    });
  }

  /** Names another type in the topology, and resolves when the pooler goes by it. */
  async changeType(
    type: PoolerType,
    options: CallOptions = {},
  ): Promise<Pick<RoleResult, "notServing">> {
    return await this.#locked("ChangeType", options, async () => {
      const { subject, journal } = this.#options;
      if (type !== PoolerType.Primary && type !== PoolerType.Replica) {
        throw new ManagerError(
          ManagerErrorCode.InvalidArgument,
          `invalid pooler type: ${type}, must be PRIMARY or REPLICA`,
        );
      }
      if (journal.pending !== undefined) {
        throw new ManagerError(ManagerErrorCode.FailedPrecondition, journal.pending);
      }
      await subject.changeType(type, options);
      return { notServing: await subject.untilServing(type) };
    });
  }

  async #demote(
    request: DemoteRequest,
    facts: RoleFacts<ServerPosition | undefined>,
    lease: ActionLease,
  ): Promise<DemoteResult> {
    const { subject, journal, terms, clock } = this.#options;
    const { drainTimeoutMs = DRAIN_TIMEOUT_MS, explain = false } = request;
    const process = this.#requireProcess(this.#options.process);
    const { position } = facts;
    const demotion = { subject, journal, terms, process, clock, drainTimeoutMs, position };
    const steps = demotionSteps(demotion, lease);
    if (explain) {
      const { synchronous } = detailsOf("Demote", facts, journal.entry);
      return { ...this.#planned(steps, position), terminated: 0, synchronous };
    }
    await this.#run("Demote", steps, { facts, lease });
    const { lsn, terminated = 0, synchronous } = journal.entry ?? {};
    const result = await this.#done(steps, position, PoolerType.Replica);
    return { ...result, lsn, terminated, synchronous };
  }

  async #locked<T>(
    verb: RoleAction | "ChangeType",
    { signal }: CallOptions,
    work: (lease: ActionLease) => Promise<T>,
  ): Promise<T> {
    const { lock, subject } = this.#options;
    // Throws while the manager is not ready.
    void subject.type;
    using lease = await lock.acquire(verb, { signal });
    return await work(lease);
  }

  /** Begins the action in the journal, where it is not the one that was begun, and runs the steps. */
  async #run(
    action: RoleAction,
    steps: readonly RoleStep[],
    beginning: Omit<Beginning, "action">,
  ): Promise<void> {
    await beginAction(this.#options, { ...beginning, action });
    await runSteps(action, steps, this.#options.logger);
  }

  /** That of the term which holds now. One that is forced asks nobody. */
  #right(from: ClaimRight["from"]): ClaimRight {
    const { terms } = this.#options;
    const term = terms.current.number;
    const isForced = from === "anybody";
    return { term, from, superseded: () => (isForced ? undefined : terms.whyNotLead(term)) };
  }

  async #facts({ signal }: CallOptions): Promise<RoleFacts> {
    const { subject, journal, terms } = this.#options;
    const { replication, type } = subject;
    const position = await replication.position({ signal });
    const synchronous = position.inRecovery
      ? undefined
      : (await replication.primaryStatus({ signal })).synchronous;
    return {
      type,
      position,
      isPending: journal.pending !== undefined,
      isSuperseded: terms.facts?.superseded !== undefined,
      synchronous,
    };
  }

  /** In the middle of a demotion the server may be down. */
  async #demotionFacts(options: CallOptions): Promise<RoleFacts<ServerPosition | undefined>> {
    const { subject, journal } = this.#options;
    try {
      return await this.#facts(options);
    } catch (error) {
      options.signal?.throwIfAborted();
      if (journal.pending === undefined) {
        throw error;
      }
      const nothing = { position: undefined, synchronous: undefined };
      return { ...nothing, isSuperseded: true, type: subject.type, isPending: true };
    }
  }

  async #requireTerm(rule: TermRule, { term = 0n, force, explain }: RoleRequest): Promise<void> {
    const { terms } = this.#options;
    if (explain !== true) {
      await terms.check(rule, term, force);
    } else if (force === undefined) {
      terms.judge(rule, term);
    }
  }

  #requireProcess(process: ServerProcess | undefined): ServerProcess {
    if (process === undefined) {
      throw new ManagerError(ManagerErrorCode.FailedPrecondition, NO_PROCESS_CONTROL);
    }
    return process;
  }

  /** The answer after the last step: whether the role is of any use yet is a part of it. */
  async #done(
    steps: readonly RoleStep[],
    position: ServerPosition | undefined,
    type: PoolerType,
  ): Promise<RoleResult> {
    const notServing = await this.#options.subject.untilServing(type);
    return { ...this.#planned(steps, position), notServing };
  }

  #planned(steps: readonly RoleStep[], position: ServerPosition | undefined): RoleResult {
    return {
      term: this.#options.terms.current.number,
      wasAlready: false,
      lsn: position?.lsn,
      steps: planOf(steps),
      notServing: undefined,
    };
  }
}
