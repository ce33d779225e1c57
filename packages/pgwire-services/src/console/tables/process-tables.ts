import type { ConsoleView } from "../console-view.ts";
import { tableOf } from "../result-table.ts";
import type { TableSource } from "../result-table.ts";
import { usersInDatabases } from "./pools-table.ts";

/** SHOW LISTS. */
export const listsTable: TableSource<ConsoleView> = tableOf(
  { list: "text", items: "int4" } as const,
  (view: ConsoleView) => {
    const { pooler } = view.options;
    const clients = view.clients();
    const loggedIn = clients.filter(({ identity }) => identity !== undefined).length;
    const servers = pooler.pools().reduce((sum, pool) => sum + pool.servers.length, 0);
    const users = new Set(usersInDatabases(view).map(({ user }) => user)).size;
    const items: Readonly<Record<string, number>> = {
      databases: pooler.databases().length,
      users,
      pools: pooler.pools().length,
      free_clients: Math.max(0, view.limits.maxClients - loggedIn),
      used_clients: loggedIn,
      login_clients: clients.length - loggedIn,
      free_servers: Math.max(0, pooler.limits.capacity - servers),
      used_servers: servers,
    };
    return Object.entries(items).map(([list, count]) => ({ list, items: count }));
  },
);

/** SHOW MEM: what Node says of the process, in bytes. */
export const memoryTable: TableSource<ConsoleView> = tableOf(
  { name: "text", size: "int8", used: "int8", free: "int8", memtotal: "int8" } as const,
  () => {
    const { rss, heapTotal, heapUsed, external, arrayBuffers } = process.memoryUsage();
    return [
      areaOf("process", rss, rss),
      areaOf("heap", heapUsed, heapTotal),
      areaOf("external", external, external),
      areaOf("array_buffers", arrayBuffers, arrayBuffers),
    ];
  },
);

/** SHOW STATE. */
export const stateTable: TableSource<ConsoleView> = tableOf(
  { key: "text", value: "text" } as const,
  ({ options }: ConsoleView) => {
    const isPaused = options.pooler.areAllPaused;
    return [
      { key: "active", value: isPaused ? "no" : "yes" },
      { key: "paused", value: isPaused ? "yes" : "no" },
      { key: "suspended", value: "no" },
    ];
  },
);

/** SHOW CONFIG. */
export const configTable: TableSource<ConsoleView> = tableOf(
  { key: "text", value: "text", default: "text", changeable: "text" } as const,
  ({ options }: ConsoleView) =>
    options.settings().map((setting) => ({
      key: setting.name,
      value: setting.value ?? null,
      default: setting.default ?? null,
      changeable: setting.isChangeable ? "yes" : "no",
    })),
);

/** SHOW VERSION. */
export const versionTable: TableSource<ConsoleView> = tableOf(
  { version: "text" } as const,
  ({ options }: ConsoleView) => [{ version: options.version }],
);

function areaOf(
  name: string,
  used: number,
  total: number,
): { name: string; size: null; used: number; free: number; memtotal: number } {
  return { name, size: null, used, free: total - used, memtotal: total };
}
