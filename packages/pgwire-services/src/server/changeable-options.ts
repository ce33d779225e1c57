import type { ResolvedOptions } from "./pgwire-server-options.ts";

/**
 * The options of a server that can change while it listens; see `PgwireServerOptions` for each. Clients
 * that are there keep what they logged in with: no limit ends one that is within the former.
 */
export type ChangeableOptions = Pick<
  ResolvedOptions,
  | "trustLoopback"
  | "maxClients"
  | "maxClientsPerUser"
  | "maxClientsPerDatabase"
  | "maxConnections"
  | "loginTimeoutMs"
  | "loginFailureLimit"
  | "loginFailureWindowMs"
  | "idleTimeoutMs"
  | "clientStallTimeoutMs"
  | "maxMessageBytes"
>;
