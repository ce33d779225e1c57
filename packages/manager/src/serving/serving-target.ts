import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import type { ServingTarget } from "@multipooler/controller-api";
import type { DatabaseHealth } from "../database/database-monitor.ts";
import { ManagerErrorCode } from "../manager-error.ts";
import { PoolerType } from "../record/pooler-type.ts";
import type { OperatorIntent } from "./operator-intent.ts";

/** What decides where the controller is to be. */
export interface ServingFacts {
  readonly database: DatabaseHealth;
  /** The type in the topology record; UNKNOWN where none is known. */
  readonly type: PoolerType;
  /** What an operator wishes; it takes away and never adds. */
  readonly intent: OperatorIntent;
  /** Absent where no coordinator has set one. */
  readonly term?: TermFacts | undefined;
}

/** The term of the pooler. */
export interface TermFacts {
  readonly number: bigint;
  /** Why the pooler must not take writes in it, although topology and database would have it so. */
  readonly superseded: string | undefined;
}

/**
 * Derives the target from the facts: the one place where PRIMARY comes from.
 *
 * | intent         | database        | type    | target                   |
 * | -------------- | --------------- | ------- | ------------------------ |
 * | DRAINED        | any             | any     | REPLICA, DRAINED         |
 * | any            | any             | DRAINED | REPLICA, DRAINED         |
 * | any            | leaving         | others  | REPLICA, DRAINED         |
 * | NOT_SERVING    | others          | others  | REPLICA, NOT_SERVING     |
 * | others         | not up          | others  | REPLICA, NOT_SERVING     |
 * | others         | in recovery     | others  | REPLICA, SERVING_RDONLY  |
 * | SERVING_RDONLY | out of recovery | others  | REPLICA, SERVING_RDONLY  |
 * | SERVING        | out of recovery | PRIMARY | PRIMARY, SERVING; REPLICA, SERVING_RDONLY under a term that it does not lead |
 * | SERVING        | out of recovery | others  | REPLICA, SERVING_RDONLY  |
 *
 * DRAINED is held until operator and topology say otherwise, also while the database is away. A server
 * that leaves is one whose end waits for the sessions of the controller: DRAINED closes the idle ones.
 */
export function deriveTarget(known: ServingFacts): ServingTarget {
  const { database, type, intent } = known;
  if (intent.status === ServingStatus.Drained) {
    return drained(byOperator("drained", intent));
  }
  if (type === PoolerType.Drained) {
    return drained("the topology says DRAINED");
  }
  const leaving = whyLeaving(database);
  if (leaving !== undefined) {
    return drained(leaving);
  }
  if (intent.status === ServingStatus.NotServing) {
    return notServing(byOperator("stopped", intent));
  }
  switch (database.state) {
    case "unknown":
      return notServing("PostgreSQL was not reached yet");
    case "down":
      return notServing(database.error.message);
    case "up":
      return deriveReachable(database.facts.inRecovery, type, known);
  }
}

/** NOT_SERVING, under the role that claims least. */
export function notServing(reason: string): ServingTarget {
  return { status: ServingStatus.NotServing, role: PoolerRole.Replica, reason };
}

/** Whether a status admits queries. */
export function admits(status: ServingStatus): boolean {
  return status === ServingStatus.Serving || status === ServingStatus.ServingReadOnly;
}

/** Whether two targets ask for the same; their reasons may differ. */
export function sameTarget(a: ServingTarget, b: ServingTarget): boolean {
  return (
    a.status === b.status &&
    a.role === b.role &&
    (a.inRecovery ?? false) === (b.inRecovery ?? false) &&
    a.term?.coordinatorTerm === b.term?.coordinatorTerm &&
    a.term?.leaderSubterm === b.term?.leaderSubterm
  );
}

function drained(reason: string): ServingTarget {
  return { status: ServingStatus.Drained, role: PoolerRole.Replica, reason };
}

/** Why the server that is served from goes away; `undefined` where it does not. */
function whyLeaving(database: DatabaseHealth): string | undefined {
  const isLeaving =
    database.state === "down" && database.error.code === ManagerErrorCode.DatabaseLeaving;
  return isLeaving ? database.error.message : undefined;
}

function byOperator(what: string, { reason }: OperatorIntent): string {
  return `${what} by an operator${reason === "" ? "" : `: ${reason}`}`;
}

function deriveReachable(
  inRecovery: boolean,
  type: Exclude<PoolerType, typeof PoolerType.Drained>,
  { intent, term }: ServingFacts,
): ServingTarget {
  if (!inRecovery && intent.status === ServingStatus.ServingReadOnly) {
    return readOnly(byOperator("made read-only", intent), inRecovery);
  }
  switch (type) {
    case PoolerType.Primary:
      if (inRecovery) {
        return readOnly("the topology says PRIMARY, but PostgreSQL is in recovery", inRecovery);
      }
      return term?.superseded === undefined
        ? primary(term?.number)
        : readOnly(`the topology says PRIMARY, but ${term.superseded}`, inRecovery);
    case PoolerType.Replica:
    case PoolerType.Unknown:
      return readOnly(
        inRecovery
          ? "PostgreSQL is in recovery"
          : `PostgreSQL is out of recovery, but the topology says ${type}`,
        inRecovery,
      );
  }
}

function primary(term: bigint | undefined): ServingTarget {
  return {
    status: ServingStatus.Serving,
    role: PoolerRole.Primary,
    term: term === undefined ? undefined : { coordinatorTerm: term, leaderSubterm: 0n },
    reason: "PostgreSQL is out of recovery and the topology says PRIMARY",
  };
}

function readOnly(reason: string, inRecovery: boolean): ServingTarget {
  return { status: ServingStatus.ServingReadOnly, role: PoolerRole.Replica, inRecovery, reason };
}
