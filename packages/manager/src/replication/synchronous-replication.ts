import type { ActionLease } from "../actions/action-lock.ts";
import { onlyRow, textOf } from "../postgres/row.ts";
import { applicationName, isNamePart, poolerCalled } from "../record/application-name.ts";
import type { PoolerIdentity } from "../record/pooler-type.ts";
import { changeSettings } from "./configuration.ts";
import { failedPrecondition, invalidArgument } from "./replication-fault.ts";
import type {
  StandbyUpdate,
  SynchronousCommit,
  SynchronousReplication,
} from "./replication-control.ts";
import type { ReplicationSession } from "./replication-session.ts";
import { formatStandbyNames, parseStandbyNames } from "./standby-names.ts";
import type { StandbyNames } from "./standby-names.ts";

const COMMITS: readonly SynchronousCommit[] = [
  "off",
  "local",
  "remote_write",
  "on",
  "remote_apply",
];

const SETTINGS_SQL = `
  SELECT current_setting('synchronous_standby_names') AS names,
         current_setting('synchronous_commit') AS commit`;

/**
 * The settings as poolers write them; `undefined` where nothing is waited for, or where what is waited
 * for is no pooler.
 */
export function synchronousOf(
  names: StandbyNames | undefined,
  commit: string,
): SynchronousReplication | undefined {
  const known = COMMITS.find((level) => level === commit);
  if (names === undefined || known === undefined) {
    return undefined;
  }
  const { method, count } = names;
  const standbys = names.names.map(poolerCalled).filter((pooler) => pooler !== undefined);
  return standbys.length === names.names.length
    ? { commit: known, method, count, standbys }
    : undefined;
}

/** Throws INVALID_ARGUMENT, naming the field, for what PostgreSQL could not wait for. */
export function checkSynchronous({ count, standbys }: SynchronousReplication): void {
  if (!Number.isSafeInteger(count) || count < 0) {
    throw invalidArgument(`num_sync is ${count}; it must be a whole number from 0`);
  }
  checkStandbys(standbys);
  if (standbys.length > 0 && count > standbys.length) {
    throw invalidArgument(
      `num_sync is ${count}, and there are only ${standbys.length} standbys to wait for`,
    );
  }
}

/** Throws INVALID_ARGUMENT, naming the field. */
export function checkStandbyUpdate({ standbys }: StandbyUpdate): void {
  if (standbys.length === 0) {
    throw invalidArgument("standby_ids must not be empty");
  }
  checkStandbys(standbys);
}

/** Throws INVALID_ARGUMENT for one that is not named like a pooler, or is there twice. */
function checkStandbys(standbys: readonly PoolerIdentity[]): void {
  const seen = new Set<string>();
  for (const [index, standby] of standbys.entries()) {
    for (const part of ["cell", "name"] as const) {
      if (!isNamePart(standby[part])) {
        const rule = 'a name without "_", "/", spaces or control characters';
        const shown = JSON.stringify(standby[part]);
        throw invalidArgument(`standby_ids[${index}].${part} is ${shown}; it must be ${rule}`);
      }
    }
    const name = applicationName(standby);
    if (seen.has(name)) {
      throw invalidArgument(`standby_ids has ${name} twice`);
    }
    seen.add(name);
  }
}

/** The only writer of `synchronous_commit` and `synchronous_standby_names`. */
export async function setSynchronous(
  session: ReplicationSession,
  lease: ActionLease,
  wanted: SynchronousReplication | undefined,
): Promise<void> {
  if (wanted === undefined) {
    await changeSettings(session, lease, [{ name: "synchronous_standby_names", value: "" }]);
    return;
  }
  checkSynchronous(wanted);
  await session.require("primary");
  await changeSettings(session, lease, [
    { name: "synchronous_commit", value: wanted.commit },
    { name: "synchronous_standby_names", value: namesText(wanted) },
  ]);
}

/** Rejects with FAILED_PRECONDITION where poolers have not configured it. */
export async function updateStandbys(
  session: ReplicationSession,
  lease: ActionLease,
  update: StandbyUpdate,
): Promise<void> {
  checkStandbyUpdate(update);
  await session.require("primary");
  const row = onlyRow(await session.read(SETTINGS_SQL));
  const current = textOf(row, "names");
  const synchronous = synchronousOf(parseStandbyNames(current), textOf(row, "commit"));
  if (synchronous === undefined) {
    const why = current.trim() === "" ? "" : `: it waits for ${current}, and not for poolers`;
    throw failedPrecondition(`synchronous replication is not configured${why}`);
  }
  const value = namesText(afterUpdate(synchronous, update));
  if (value !== current) {
    await changeSettings(session, lease, [{ name: "synchronous_standby_names", value }]);
  }
}

/** The configuration that an update makes of another. Throws INVALID_ARGUMENT if nothing is left. */
export function afterUpdate(
  synchronous: SynchronousReplication,
  { operation, standbys: given }: StandbyUpdate,
): SynchronousReplication {
  const named = new Set(given.map(applicationName));
  const standbys = ((): readonly PoolerIdentity[] => {
    const others = synchronous.standbys.filter((one) => !named.has(applicationName(one)));
    const known = new Set(synchronous.standbys.map(applicationName));
    switch (operation) {
      case "add":
        return [
          ...synchronous.standbys,
          ...given.filter((one) => !known.has(applicationName(one))),
        ];
      case "remove":
        return others;
      case "replace":
        return given;
    }
  })();
  if (standbys.length === 0) {
    throw invalidArgument("resulting standby list cannot be empty after operation");
  }
  // More than there are would make every commit wait for ever.
  return { ...synchronous, standbys, count: Math.min(synchronous.count, standbys.length) };
}

function namesText({ method, count, standbys }: SynchronousReplication): string {
  return standbys.length === 0
    ? ""
    : formatStandbyNames({
        method,
        count: Math.max(count, 1),
        names: standbys.map(applicationName),
      });
}
