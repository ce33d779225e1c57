import type { ConsolePool } from "../console-pooler.ts";
import { isWaiting } from "../console-view.ts";
import type { ClientView, ConsoleView } from "../console-view.ts";
import { tableOf } from "../result-table.ts";
import type { RowOf, TableSource } from "../result-table.ts";

const COLUMNS = {
  database: "text",
  user: "text",
  cl_active: "int4",
  cl_waiting: "int4",
  cl_active_cancel_req: "int4",
  cl_waiting_cancel_req: "int4",
  sv_active: "int4",
  sv_active_cancel: "int4",
  sv_being_canceled: "int4",
  sv_idle: "int4",
  sv_used: "int4",
  sv_tested: "int4",
  sv_login: "int4",
  maxwait: "int4",
  maxwait_us: "int4",
  pool_mode: "text",
} as const;

/** Everything that one user has in one database. */
interface UserInDatabase {
  readonly database: string;
  readonly user: string;
  readonly pools: readonly ConsolePool[];
  readonly clients: readonly ClientView[];
}

/** SHOW POOLS. */
export const poolsTable: TableSource<ConsoleView> = tableOf(COLUMNS, (view: ConsoleView) =>
  usersInDatabases(view).map((one) => rowOf(one, view)),
);

/** One for each user of each database that has a connection or a client. */
export function usersInDatabases({ options, clients }: ConsoleView): UserInDatabase[] {
  const pools = Map.groupBy(options.pooler.pools(), keyOf);
  const loggedIn = Map.groupBy(
    clients().filter(({ identity }) => identity !== undefined),
    ({ identity }) => keyOf(identity ?? NOBODY),
  );
  const keys = [...new Set([...pools.keys(), ...loggedIn.keys()])].toSorted();
  return keys.map((key) => {
    const own = pools.get(key) ?? [];
    const ofUser = loggedIn.get(key) ?? [];
    const { database, user } = own[0] ?? ofUser[0]?.identity ?? NOBODY;
    return { database, user, pools: own, clients: ofUser };
  });
}

const NOBODY = { database: "", user: "" };

function keyOf({ database, user }: { readonly database: string; readonly user: string }): string {
  return `${database}\0${user}`;
}

function rowOf(
  { database, user, pools, clients }: UserInDatabase,
  { options }: ConsoleView,
): RowOf<typeof COLUMNS> {
  const servers = pools.flatMap((pool) => pool.servers);
  const count = (state: string): number => servers.filter((one) => one.state === state).length;
  const waiting = clients.filter(isWaiting).length;
  const longestWaitMs = Math.max(0, ...pools.map((pool) => pool.longestWaitMs));
  return {
    database,
    user,
    cl_active: clients.length - waiting,
    cl_waiting: waiting,
    cl_active_cancel_req: 0,
    cl_waiting_cancel_req: 0,
    sv_active: count("active"),
    sv_active_cancel: 0,
    sv_being_canceled: 0,
    sv_idle: count("idle"),
    sv_used: 0,
    sv_tested: count("tested"),
    sv_login: pools.reduce((sum, { dials }) => sum + dials, 0),
    maxwait: Math.floor(longestWaitMs / 1000),
    maxwait_us: Math.floor((longestWaitMs % 1000) * 1000),
    pool_mode: database === options.database ? "statement" : "transaction",
  };
}
