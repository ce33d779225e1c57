import type { CallOptions } from "@multipooler/query-service";
import { Deadline } from "@multipooler/timing";
import { Closing } from "./closing.ts";
import type { DatabaseMonitor } from "./database/database-monitor.ts";
import type { ManagedDatabase } from "./database/managed-database.ts";
import type { RunParts } from "./run-parts.ts";
import type { ManagerSettings } from "./manager-settings.ts";
import type { ServiceTransport } from "./transport/service-transport.ts";
import { closeAll } from "./transport/transports.ts";

/** The reason that the pooler gives while it closes. */
export const CLOSING_REASON = "shutting down";

/** What one run of the manager has open. */
export interface OpenParts {
  readonly settings: ManagerSettings;
  /** `undefined` where the run did not come so far. */
  readonly parts: RunParts | undefined;
  readonly transports: readonly ServiceTransport[];
  readonly monitor: DatabaseMonitor;
  readonly database: ManagedDatabase;
}

/** Grace aside, how long one thing may take to close before the next is closed regardless. */
const STEP_TIMEOUT_MS = 5_000;

/**
 * Closes a run in the reverse order of its opening: tell the topology, drain, transports,
 * controller, database with its heartbeat, last record. Running calls have `closeTimeoutMs` to end, or less
 * where the signal aborts. Rejects with CLOSE_FAILED when something of this process is left open;
 * that the drain was cut short or the topology is away is logged only.
 */
export async function closeRun(open: OpenParts, { signal }: CallOptions = {}): Promise<void> {
  const { settings, parts, transports, monitor, database } = open;
  const { clock, logger, closeTimeoutMs, controller } = settings;
  const closing = new Closing({ clock, logger });
  using grace = new Deadline({ clock, ms: closeTimeoutMs, what: "running work", signal });
  const graceMs = closeTimeoutMs + STEP_TIMEOUT_MS;
  parts?.registration.announceStopping(CLOSING_REASON);
  await closing.step({
    what: "draining",
    ms: graceMs,
    essential: false,
    run: async () => await parts?.reconciler.close(CLOSING_REASON, { signal: grace.signal }),
  });
  await closing.step({
    what: "ending the health checks",
    ms: STEP_TIMEOUT_MS,
    essential: true,
    run: async () => await parts?.steps.close(),
  });
  await closing.step({
    what: "closing the transports",
    ms: graceMs,
    essential: true,
    run: () => closeAll(transports, { signal: grace.signal }),
  });
  await closing.step({
    what: "closing the controller",
    ms: STEP_TIMEOUT_MS,
    essential: true,
    run: () => controller.close(),
  });
  await closing.step({
    what: "disconnecting from the database",
    ms: STEP_TIMEOUT_MS,
    essential: true,
    run: async () => {
      await monitor.close();
      await database.close();
    },
  });
  await closing.step({
    what: "writing the last record",
    ms: STEP_TIMEOUT_MS,
    essential: false,
    run: async (bound) => await parts?.registration.close({ signal: bound }),
  });
  closing.finish();
}
