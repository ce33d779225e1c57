import type { ConsoleView } from "../console-view.ts";
import { tableOf } from "../result-table.ts";
import type { TableSource } from "../result-table.ts";
import { usersInDatabases } from "./pools-table.ts";

const COLUMNS = {
  name: "text",
  pool_size: "text",
  reserve_pool_size: "text",
  pool_mode: "text",
  max_user_connections: "int4",
  current_connections: "int4",
  max_user_client_connections: "int4",
  current_client_connections: "int4",
} as const;

/** SHOW USERS: those who have a connection or a client. */
export const usersTable: TableSource<ConsoleView> = tableOf(COLUMNS, (view: ConsoleView) => {
  const byUser = Map.groupBy(usersInDatabases(view), ({ user }) => user);
  return [...byUser].map(([name, all]) => ({
    name,
    pool_size: null,
    reserve_pool_size: null,
    pool_mode: null,
    max_user_connections: view.options.pooler.limits.maxConnectionsPerUser,
    current_connections: all
      .flatMap(({ pools }) => pools)
      .reduce((sum, { servers }) => sum + servers.length, 0),
    max_user_client_connections: view.limits.maxClientsPerUser,
    current_client_connections: all.reduce((sum, { clients }) => sum + clients.length, 0),
  }));
});
