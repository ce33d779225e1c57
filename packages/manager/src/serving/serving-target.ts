import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import type { ServingTarget } from "@multipooler/controller-api";
import type { DatabaseHealth } from "../database/database-monitor.ts";
import { ManagerErrorCode } from "../manager-error.ts";
import { PoolerType } from "../record/pooler-type.ts";

/** What decides where the controller is to be. */
export interface ServingFacts {
  readonly database: DatabaseHealth;
  /** The type in the topology record; UNKNOWN where none is known. */
  readonly type: PoolerType;
}

/**
 * Derives the target from the facts: the one place where PRIMARY comes from.
 *
 * | database        | type    | target                   |
 * | --------------- | ------- | ------------------------ |
 * | any             | DRAINED | REPLICA, DRAINED         |
 * | leaving         | others  | REPLICA, DRAINED         |
 * | not up          | others  | REPLICA, NOT_SERVING     |
 * | in recovery     | others  | REPLICA, SERVING_RDONLY  |
 * | out of recovery | PRIMARY | PRIMARY, SERVING         |
 * | out of recovery | others  | REPLICA, SERVING_RDONLY  |
 *
 * DRAINED is held until the topology says otherwise, also while the database is away. A server that
 * leaves is one whose end waits for the sessions of the controller: DRAINED closes the idle ones.
 */
export function deriveTarget({ database, type }: ServingFacts): ServingTarget {
  if (type === PoolerType.Drained) {
    return drained("the topology says DRAINED");
  }
  switch (database.state) {
    case "unknown":
      return notServing("PostgreSQL was not reached yet");
    case "down":
      return database.error.code === ManagerErrorCode.DatabaseLeaving
        ? drained(database.error.message)
        : notServing(database.error.message);
    case "up":
      return deriveReachable(database.facts.inRecovery, type);
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

function deriveReachable(
  inRecovery: boolean,
  type: Exclude<PoolerType, typeof PoolerType.Drained>,
): ServingTarget {
  switch (type) {
    case PoolerType.Primary:
      return inRecovery
        ? readOnly("the topology says PRIMARY, but PostgreSQL is in recovery", inRecovery)
        : {
            status: ServingStatus.Serving,
            role: PoolerRole.Primary,
            reason: "PostgreSQL is out of recovery and the topology says PRIMARY",
          };
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

function readOnly(reason: string, inRecovery: boolean): ServingTarget {
  return { status: ServingStatus.ServingReadOnly, role: PoolerRole.Replica, inRecovery, reason };
}
