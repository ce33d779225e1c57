import type { CallOptions } from "@multipooler/controller-api";
import { Deadline } from "@multipooler/timing";
import { Closing } from "./closing.ts";
import type { Database } from "./database/database.ts";
import type { DatabaseMonitor } from "./database/database-monitor.ts";
import type { Heartbeat } from "./heartbeat/heartbeat.ts";
import type { ManagerSettings } from "./manager-settings.ts";
import type { Registration } from "./record/registration.ts";
import type { ServiceTransport } from "./transport/service-transport.ts";
import type { ServingReconciler } from "./serving/serving-reconciler.ts";
import { closeAll } from "./transport/transports.ts";

/** What one run of the manager has open. */
export interface OpenParts {
  readonly settings: ManagerSettings;
  /** `undefined` where the run did not come so far. */
  readonly registration: Registration | undefined;
  readonly reconciler: ServingReconciler | undefined;
  readonly transports: readonly ServiceTransport[];
  readonly heartbeat: Heartbeat;
  readonly monitor: DatabaseMonitor;
  readonly database: Database;
}

const REASON = "shutting down";
/** Grace aside, how long one thing may take to close before the next is closed regardless. */
const STEP_TIMEOUT_MS = 5_000;

/**
 * Closes a run in the reverse order of its opening: tell the topology, drain, transports,
 * controller, heartbeat, database, last record. Running calls have `closeTimeoutMs` to end, or less
 * where the signal aborts. Rejects with CLOSE_FAILED when something of this process is left open;
 * that the drain was cut short or the topology is away is logged only.
 */
export async function closeRun(parts: OpenParts, { signal }: CallOptions = {}): Promise<void> {
  const { settings, registration, reconciler, transports, heartbeat, monitor, database } = parts;
  const { clock, logger, closeTimeoutMs, controller } = settings;
  const closing = new Closing({ clock, logger });
  using grace = new Deadline({ clock, ms: closeTimeoutMs, what: "running work", signal });
  const graceMs = closeTimeoutMs + STEP_TIMEOUT_MS;
  registration?.announceStopping(REASON);
  await closing.step({
    what: "draining",
    ms: graceMs,
    essential: false,
    run: async () => await reconciler?.close(REASON, { signal: grace.signal }),
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
    what: "ending the heartbeat",
    ms: STEP_TIMEOUT_MS,
    essential: true,
    run: () => heartbeat.off(),
  });
  await closing.step({
    what: "disconnecting from PostgreSQL",
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
    run: async (bound) => await registration?.close({ signal: bound }),
  });
  closing.finish();
}
