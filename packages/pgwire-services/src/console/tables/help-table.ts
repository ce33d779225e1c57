import { tableOf } from "../result-table.ts";
import type { TableSource } from "../result-table.ts";

const COMMANDS: Readonly<Record<string, string>> = {
  "SHOW POOLS | CLIENTS | SERVERS | SOCKETS | ACTIVE_SOCKETS": "connections and clients",
  "SHOW STATS | STATS_TOTALS | STATS_AVERAGES":
    "what was done in each database; averages of a minute",
  "SHOW DATABASES | USERS | LISTS | STATE": "what is served, and to whom",
  "SHOW CONFIG | VERSION | MEM | HELP": "about the process",
  "PAUSE [db]": "let transactions end, hold new ones, and close the connections to PostgreSQL",
  "RESUME [db]": "let those go on that PAUSE or KILL holds",
  "RECONNECT [db]": "replace each connection to PostgreSQL when it is next released",
  "KILL [db]": "end the clients of a database, cut its connections, and pause it",
  "KILL_CLIENT id": "end one client; SHOW CLIENTS has the ids",
  "DISABLE db": "refuse new clients of a database",
  "ENABLE db": "take them again",
  RELOAD: "read the settings and certificates again",
};

/** SHOW HELP. */
export const helpTable: TableSource<unknown> = tableOf(
  { command: "text", meaning: "text" } as const,
  () => Object.entries(COMMANDS).map(([command, meaning]) => ({ command, meaning })),
);
