import type { ConsoleView } from "../console-view.ts";
import type { TableSource } from "../result-table.ts";
import { databasesTable } from "./databases-table.ts";
import { helpTable } from "./help-table.ts";
import { poolsTable } from "./pools-table.ts";
import {
  configTable,
  listsTable,
  memoryTable,
  stateTable,
  versionTable,
} from "./process-tables.ts";
import { activeSocketsTable, clientsTable, serversTable, socketsTable } from "./sockets-table.ts";
import { averagesTable, statsTable, totalsTable } from "./stats-table.ts";
import { usersTable } from "./users-table.ts";

/** By the word that follows SHOW, in lower case. */
export const showTables: ReadonlyMap<string, TableSource<ConsoleView>> = new Map([
  ["active_sockets", activeSocketsTable],
  ["clients", clientsTable],
  ["config", configTable],
  ["databases", databasesTable],
  ["help", helpTable],
  ["lists", listsTable],
  ["mem", memoryTable],
  ["pools", poolsTable],
  ["servers", serversTable],
  ["sockets", socketsTable],
  ["state", stateTable],
  ["stats", statsTable],
  ["stats_averages", averagesTable],
  ["stats_totals", totalsTable],
  ["users", usersTable],
  ["version", versionTable],
]);
