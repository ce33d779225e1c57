import { ServingStatus } from "@multipooler/controller-api";
import type { DatabaseHandle } from "@multipooler/controller-api";
import { untilAborted } from "../abort.ts";
import { Classifier } from "../classification/classifier.ts";
import type { MultiPoolerError } from "../error.ts";
import type { ResolvedOptions } from "../multi-pooler-options.ts";
import type { Lease } from "../pool/lease.ts";
import { applicationName, postgresBackends } from "../pool/postgres-dial.ts";
import { postgresProcesses } from "../pool/postgres-processes.ts";
import { Scheduler } from "../pool/scheduler.ts";
import type { Unit } from "../pool/unit.ts";
import type { ServingGate } from "../serving/serving-gate.ts";
import { CatalogWatch } from "./catalog-watch.ts";
import { checkHealth } from "./health-check.ts";
import type { HealthCheckEngine } from "./health-check.ts";
import { QueryExecutor } from "./query-executor.ts";
import { postgresTermination } from "./termination.ts";

/** The name of the pool in the `application_name` of its sessions. */
const POOL = "regular";
/** How long `close` waits for a health check that holds a connection. */
const CLOSE_GRACE_MS = 1000;

export interface EngineOptions {
  readonly database: DatabaseHandle;
  readonly gate: ServingGate;
  readonly settings: ResolvedOptions;
}

/** Everything that serves queries from one database, from `open` to `close`. */
export class Engine {
  readonly executor: QueryExecutor;
  readonly #scheduler: Scheduler;
  readonly #catalog: CatalogWatch;
  readonly #calls: HealthCheckEngine;

  constructor({ database, gate, settings }: EngineOptions) {
    const { clock, logger, shard } = settings;
    const name = applicationName(database.applicationName, POOL);
    this.#scheduler = new Scheduler(
      {
        ...settings,
        openBackend: postgresBackends(database, { name, clock }),
        share: database.share,
        closeGraceMs: CLOSE_GRACE_MS,
        processes: postgresProcesses(database, name),
        suspect: (cause) => database.suspect(cause),
      },
      "read-write",
    );
    const classifier = new Classifier({
      admin: (sql, values, options) => database.admin(sql, values, options),
    });
    this.#catalog = new CatalogWatch({ classifier, clock, logger });
    this.#calls = { scheduler: this.#scheduler, clock, terminate: postgresTermination(database) };
    const served = { ...shard, database: database.database, user: database.user };
    this.executor = new QueryExecutor({
      ...this.#calls,
      served,
      gate,
      classifier: this.#catalog,
    });
  }

  /** Opens a first connection, so that what is wrong shows now, and reads the catalog. */
  async open(signal: AbortSignal): Promise<void> {
    await openOne(this.#scheduler, signal);
    await this.#catalog.open(signal);
  }

  /** Prepares the sessions for a status, once nothing of the old one runs. */
  prepare(status: ServingStatus): void {
    switch (status) {
      case ServingStatus.Serving:
        this.#scheduler.setAccess("read-write");
        return;
      case ServingStatus.ServingReadOnly:
        this.#scheduler.setAccess("read-only");
        return;
      case ServingStatus.Drained:
      case ServingStatus.NotServing:
        this.#scheduler.setAccess("none");
    }
  }

  /** See {@link checkHealth}. */
  async checkHealth(signal: AbortSignal): Promise<void> {
    await checkHealth(this.#calls, signal);
  }

  /** Ends every session, waiter and timer. Idempotent; never rejects. */
  async close(): Promise<void> {
    await Promise.all([this.#scheduler.close(), this.#catalog.close()]);
  }
}

async function openOne(scheduler: Scheduler, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<Lease>();
  const unit: Unit = {
    origin: "",
    byteLength: 0,
    kind: "exclusive",
    granted: resolve,
    refused: (error: MultiPoolerError) => reject(error),
  };
  scheduler.submit(unit);
  try {
    const lease = await untilAborted(promise, signal);
    await lease.release();
  } catch (error) {
    if (!scheduler.withdraw(unit)) {
      promise.then(
        (late) => late.release(),
        () => undefined,
      );
    }
    throw error;
  }
}
