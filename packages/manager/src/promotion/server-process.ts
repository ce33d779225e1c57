import type { CallOptions } from "@multipooler/query-service";
import type { MainProcess } from "../replication/replication-control.ts";

/**
 * What the manager needs of whoever controls PostgreSQL's processes. The app plugs it in. Rejects with a
 * `ManagerError`, PROCESS_CONTROL_FAILED with what the control says.
 */
export interface ServerProcess {
  /**
   * Resolves where a restart can be asked for, and would be one of this server. Changes nothing.
   *
   * @param server `undefined` where it is down, or does not tell.
   */
  check(server: MainProcess | undefined, options?: CallOptions): Promise<void>;
  /** Whether the server's process is there, whatever that answers. */
  isRunning(options?: CallOptions): Promise<boolean>;
  /**
   * Shuts the server down in order, so that its standbys get everything, and starts it as a standby.
   * Resolves when it takes connections. One that does not run is started. May be repeated.
   */
  restartAsStandby(options?: CallOptions): Promise<void>;
}
