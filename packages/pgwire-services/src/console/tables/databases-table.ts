import type { ConsoleDatabase } from "../console-pooler.ts";
import type { ConsoleView } from "../console-view.ts";
import { tableOf } from "../result-table.ts";
import type { RowOf, TableSource } from "../result-table.ts";

const COLUMNS = {
  name: "text",
  host: "text",
  port: "int4",
  database: "text",
  force_user: "text",
  pool_size: "int4",
  min_pool_size: "int4",
  reserve_pool_size: "int4",
  pool_mode: "text",
  max_connections: "int4",
  current_connections: "int4",
  max_client_connections: "int4",
  current_client_connections: "int4",
  paused: "int4",
  disabled: "int4",
} as const;

/** SHOW DATABASES: those that were served, or that an operator has paused or disabled. */
export const databasesTable: TableSource<ConsoleView> = tableOf(COLUMNS, (view: ConsoleView) =>
  view.options.pooler.databases().map((database) => rowOf(database, view)),
);

function rowOf(one: ConsoleDatabase, view: ConsoleView): RowOf<typeof COLUMNS> {
  const { name, address, connections, isPaused, isDisabled } = one;
  const { options, limits } = view;
  const { capacity, maxConnectionsPerDatabase } = options.pooler.limits;
  const clients = view.clients().filter(({ identity }) => identity?.database === name);
  return {
    name,
    host: address?.type === "tcp" ? address.host : (address?.path ?? null),
    port: address?.type === "tcp" ? address.port : null,
    database: name,
    force_user: null,
    pool_size: capacity,
    min_pool_size: 0,
    reserve_pool_size: 0,
    pool_mode: "transaction",
    max_connections: maxConnectionsPerDatabase,
    current_connections: connections,
    max_client_connections: limits.maxClientsPerDatabase,
    current_client_connections: clients.length,
    paused: isPaused ? 1 : 0,
    disabled: isDisabled ? 1 : 0,
  };
}
