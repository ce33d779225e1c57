import type { CallOptions } from "@multipooler/query-service";
import { parseLsn } from "@multipooler/topo";
import { requireType } from "../actions/guardrails.ts";
import type { Logger } from "../logger.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import { applicationName } from "../record/application-name.ts";
import type { ClaimRight } from "../record/claim-right.ts";
import { PoolerType } from "../record/pooler-type.ts";
import type { ServerPosition, SynchronousReplication } from "../replication/replication-control.ts";
import type { JournalEntry } from "./action-journal.ts";
import type { PromoteRequest } from "./role-request.ts";
import type { RoleSubject } from "./role-subject.ts";

/** What a change of role starts from. */
export interface RoleFacts<Position = ServerPosition> {
  readonly type: PoolerType;
  readonly position: Position;
  /** Whether an action was begun and not ended: then any state may be found. */
  readonly isPending: boolean;
  /** Whether the pooler is known not to lead its term. */
  readonly isSuperseded: boolean;
  /** For whom a primary waits; `undefined` for nobody, and on a standby. */
  readonly synchronous: SynchronousReplication | undefined;
}

/** Whether the pooler is the primary that is asked for. */
export function isPromoted(facts: RoleFacts, { synchronous }: PromoteRequest): boolean {
  const { type, position, isPending, isSuperseded } = facts;
  const isPrimary = type === PoolerType.Primary && !position.inRecovery;
  return isPrimary && !isPending && !isSuperseded && matches(facts, synchronous);
}

/** Whether the pooler is a standby, and nothing is left undone. */
export function isDemoted(facts: RoleFacts<ServerPosition | undefined>): boolean {
  const { type, position, isPending } = facts;
  return type === PoolerType.Replica && position?.inRecovery === true && !isPending;
}

interface Candidate {
  readonly serviceId: string;
  readonly subject: RoleSubject;
  readonly right: ClaimRight;
  readonly logger: Logger;
}

/** Rejects with FAILED_PRECONDITION where the pooler may not become the primary. */
export async function checkPromotable(
  facts: RoleFacts,
  { synchronous, expectedLsn, force }: PromoteRequest,
  { serviceId, subject, right, logger, signal }: CallOptions & Candidate,
): Promise<void> {
  const { type, position, isPending } = facts;
  const isForced = force !== undefined;
  const superseded = right.superseded();
  if (superseded !== undefined) {
    throw refused(superseded);
  }
  if (type === PoolerType.Drained) {
    requireType(PoolerType.Replica, { type, serviceId });
  }
  const isConsistent = !position.inRecovery && matches(facts, synchronous);
  if (type === PoolerType.Primary && !isConsistent && !isPending && !isForced) {
    throw refused(
      "inconsistent state: topology is PRIMARY but PostgreSQL state doesn't match " +
        `(in recovery: ${position.inRecovery}, synchronous replication as asked for: ${matches(facts, synchronous)})`,
    );
  }
  if (!position.inRecovery || expectedLsn === undefined) {
    return;
  }
  const { lastReplayLsn, isReplayPaused } = await subject.replication.replicationStatus({ signal });
  if (!isReplayPaused) {
    logger.warn({ expectedLsn, lastReplayLsn }, "the replay is not paused: it may go on meanwhile");
  }
  if (lastReplayLsn === undefined || parseLsn(lastReplayLsn) !== parseLsn(expectedLsn)) {
    throw refused(
      `LSN mismatch: expected ${expectedLsn}, current ${lastReplayLsn ?? "unknown"}. ` +
        "The standby has replayed less or more than the caller knows",
    );
  }
}

/** Rejects with FAILED_PRECONDITION where the topology says that the pooler may not claim the shard. */
export async function checkShard(
  subject: RoleSubject,
  right: ClaimRight,
  options: CallOptions,
): Promise<void> {
  const refusal = await subject.whyNotTake(right, options);
  if (refusal !== undefined) {
    throw refused(refusal);
  }
}

/** Throws FAILED_PRECONDITION where the pooler is not a primary. */
export function checkDemotable(
  { type, position, isPending }: RoleFacts<ServerPosition | undefined>,
  serviceId: string,
): void {
  if (isPending) {
    return;
  }
  requireType(PoolerType.Primary, { type, serviceId });
  if (position === undefined) {
    throw new ManagerError(ManagerErrorCode.Internal, "a primary without a position");
  }
}

/** Rejects with FAILED_PRECONDITION where there is no demotion that can be undone. */
export async function checkUndoable(
  { position, isPending }: RoleFacts,
  demotion: JournalEntry | undefined,
  { subject, right, signal }: CallOptions & Pick<Candidate, "subject" | "right">,
): Promise<void> {
  const { term } = right;
  if (demotion === undefined || demotion.action === "Promote") {
    throw refused("there is no demotion to undo");
  }
  if (term !== demotion.term) {
    throw refused(
      `the demotion of term ${demotion.term} cannot be undone: the current term is ${term}`,
    );
  }
  // One that was begun is given up by its first step, which takes it back.
  const refusal =
    right.superseded() ?? (isPending ? undefined : await subject.whyNotTake(right, { signal }));
  if (refusal !== undefined) {
    throw refused(`the demotion cannot be undone: ${refusal}`);
  }
  if (position.inRecovery) {
    const { primaryConnInfo } = await subject.replication.replicationStatus({ signal });
    if (primaryConnInfo !== undefined) {
      const { host, port } = primaryConnInfo;
      throw refused(
        `the demotion cannot be undone: the server follows ${host}${port === undefined ? "" : `:${port}`} by now`,
      );
    }
  }
}

function matches(
  { synchronous: current }: RoleFacts,
  wanted: SynchronousReplication | undefined,
): boolean {
  return wanted === undefined || keyOf(current) === keyOf(wanted);
}

/** The same for what PostgreSQL does the same with: the standbys are a set, and none is asked for as one. */
function keyOf(synchronous: SynchronousReplication | undefined): string {
  if (synchronous === undefined || synchronous.standbys.length === 0) {
    return "";
  }
  const { commit, method, count, standbys } = synchronous;
  return [commit, method, Math.max(count, 1), ...standbys.map(applicationName).toSorted()].join();
}

function refused(message: string): ManagerError {
  return new ManagerError(ManagerErrorCode.FailedPrecondition, message);
}
