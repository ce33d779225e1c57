import type { SessionState } from "@multipooler/query-service";
import type { ConsoleOptions } from "./console-options.ts";
import type { StatsHistory } from "./stats-history.ts";

/** One client of the listener. Times in milliseconds since the epoch. */
export interface ClientView {
  /** Of this process; never given again. */
  readonly id: number;
  /** `undefined` while it logs in. */
  readonly identity: ClientIdentity | undefined;
  /** `undefined` before its session is open. */
  readonly state: SessionState | undefined;
  readonly address: string;
  readonly port: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly connectedAt: number;
  /** When it last sent something; `undefined`: never since its login. */
  readonly requestedAt: number | undefined;
  /** Version and cipher; empty without TLS. */
  readonly tls: string;
}

/** Who a client is. */
export interface ClientIdentity {
  readonly user: string;
  readonly database: string;
  readonly applicationName: string;
}

/** The limits of the listener; 0: none. */
export interface ClientLimits {
  readonly maxClients: number;
  readonly maxClientsPerUser: number;
  readonly maxClientsPerDatabase: number;
}

/** What the tables of the console are made of. */
export interface ConsoleView {
  readonly options: ConsoleOptions;
  readonly limits: ClientLimits;
  readonly history: StatsHistory;
  readonly clients: () => readonly ClientView[];
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Whether the client waits for a connection. */
export function isWaiting({ state }: ClientView): boolean {
  return state?.type === "queued";
}
