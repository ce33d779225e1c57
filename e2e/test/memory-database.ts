import type { DatabaseHandle } from "@multipooler/controller-api";
import type { DatabaseProvider } from "@multipooler/manager";

const HANDLE: DatabaseHandle = {
  address: { type: "socket", path: "memory" },
  database: "memory",
  user: "nobody",
  tls: { mode: "disable" },
  dialTimeoutMs: 1000,
  applicationName: "memory",
  share: {
    limit: 0,
    used: 0,
    tryTake: () => undefined,
    onChange: () => () => {},
    serverIsFull: () => {},
  },
  credential: async () => ({ type: "none" }),
  admin: async () => [],
  suspect: () => {},
};

/** A database that is always there and never dialled. */
export const MEMORY_DATABASE: DatabaseProvider = {
  address: HANDLE.address,
  database: HANDLE.database,
  connectTimeoutMs: 1000,
  open: () => ({
    check: async () => ({ inRecovery: false, serverVersion: "memory" }),
    serve: async () => HANDLE,
    retire: async () => {},
    letGo: async () => {},
    status: () => ({
      connectionsUsed: 0,
      connectionsLimit: 0,
      heartbeat: { mode: "off" },
      refusal: undefined,
    }),
    close: async () => {},
  }),
};
