import pg from "pg";
import type { ActionLease } from "../actions/action-lock.ts";
import { onlyRow, optionalTextOf, textOf } from "../postgres/row.ts";
import { failedPrecondition, timedOut } from "./replication-fault.ts";
import type { ReplicationSession } from "./replication-session.ts";

/** A setting that a reload changes, with its value; "" for none. */
export interface ServerSetting {
  readonly name: "primary_conninfo" | "synchronous_commit" | "synchronous_standby_names";
  readonly value: string;
}

const RELOAD_TIMEOUT_MS = 5_000;
const RELOAD_POLL_MS = 20;

// Each process reads the files for itself, and this one only after the postmaster has.
const LOADED_SQL = `
  SELECT extract(epoch FROM pg_conf_load_time())::text AS loaded,
         current_setting('primary_conninfo') AS primary_conninfo,
         current_setting('synchronous_standby_names') AS synchronous_standby_names`;

const FAULT_SQL = `
  SELECT sourcefile, sourceline, name, error FROM pg_file_settings
  WHERE error IS NOT NULL ORDER BY seqno LIMIT 1`;

const SOURCE_SQL = "SELECT source FROM pg_settings WHERE name = $1";

/**
 * Changes settings of the whole server, for good, and resolves when the server has read them.
 *
 * Rejects with TIMED_OUT where it does not within 5 s, e.g. for an error in its files, which is named,
 * and with FAILED_PRECONDITION where the command line of the server has another value. The settings
 * are in the server's files then.
 */
export async function changeSettings(
  session: ReplicationSession,
  lease: ActionLease,
  settings: readonly ServerSetting[],
): Promise<void> {
  for (const { name, value } of settings) {
    await session.change(lease, `ALTER SYSTEM SET ${name} = ${pg.escapeLiteral(value)}`);
  }
  const before = textOf(onlyRow(await session.read(LOADED_SQL)), "loaded");
  await session.change(lease, "SELECT pg_reload_conf()");
  let isLoaded = false;
  const done = await session.poll(
    async () => {
      const row = onlyRow(await session.read(LOADED_SQL));
      isLoaded = textOf(row, "loaded") !== before;
      const hold = settings.every(
        // A database or a role may have another one of its own.
        ({ name, value }) => name === "synchronous_commit" || textOf(row, name) === value,
      );
      return isLoaded && hold ? true : undefined;
    },
    { intervalMs: RELOAD_POLL_MS, timeoutMs: RELOAD_TIMEOUT_MS },
  );
  if (done === undefined) {
    throw isLoaded ? await overridden(session, settings) : await notLoaded(session);
  }
}

async function notLoaded(session: ReplicationSession): Promise<Error> {
  const message = `PostgreSQL did not read its configuration within ${RELOAD_TIMEOUT_MS} ms`;
  const [row] = await session.read(FAULT_SQL);
  if (row === undefined) {
    return timedOut(message);
  }
  const name = optionalTextOf(row, "name");
  const where = `${String(row["sourcefile"])} line ${String(row["sourceline"])}`;
  const setting = name === undefined ? "" : ` (${name})`;
  return timedOut(`${message}: ${where}${setting}: ${textOf(row, "error")}`);
}

async function overridden(
  session: ReplicationSession,
  settings: readonly ServerSetting[],
): Promise<Error> {
  const row = onlyRow(await session.read(LOADED_SQL));
  const other = settings.find(
    ({ name, value }) => name !== "synchronous_commit" && row[name] !== value,
  );
  const name = other?.name ?? "synchronous_standby_names";
  const source = textOf(onlyRow(await session.read(SOURCE_SQL, [name])), "source");
  return failedPrecondition(`${name} was changed without effect: its value is set by ${source}`);
}
