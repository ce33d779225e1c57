import type { LocalPostgres, PostgresControl } from "@multipooler/pgctld";
import type { EmbeddedPostgres } from "./embedded-postgres.ts";

/**
 * The server as a process-control daemon serves it. What starts and ends it goes through its owner, which
 * knows from that which process is its own.
 */
export function controlOf(server: EmbeddedPostgres, local: () => LocalPostgres): PostgresControl {
  return {
    status: (options) => local().status(options),
    initialize: (request, options) => local().initialize(request, options),
    start: async ({ role } = {}, { signal } = {}) => {
      const alreadyRunning = server.pid !== undefined;
      await server.start({ role, signal });
      return { pid: server.pid ?? 0, alreadyRunning, recovered: false };
    },
    stop: async ({ mode = "fast" } = {}) => {
      if (server.pid === undefined) {
        return "not-running";
      }
      await server.stop(mode);
      return mode;
    },
    restart: async ({ mode, role } = {}, { signal } = {}) => {
      await server.restart({ mode, role, signal });
      return { pid: server.pid ?? 0, alreadyRunning: false, recovered: false };
    },
    reload: (options) => local().reload(options),
    rewind: (request, options) => local().rewind(request, options),
    stopRestoreCommand: () => local().stopRestoreCommand(),
  };
}
