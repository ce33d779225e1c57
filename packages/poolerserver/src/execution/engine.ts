import { ServingStatus } from "@multipooler/controller-api";
import type { DatabaseHandle } from "@multipooler/controller-api";
import { Classifier } from "../classification/classifier.ts";
import { CredentialLookup } from "../credentials/credential-lookup.ts";
import type { ResolvedOptions } from "../multi-pooler-options.ts";
import { borrowBackend } from "../pool/borrowing.ts";
import { applicationName, postgresBackends } from "../pool/postgres-dial.ts";
import { postgresProcesses } from "../pool/postgres-processes.ts";
import { Scheduler } from "../pool/scheduler.ts";
import type { ServingGate } from "../serving/serving-gate.ts";
import { Sessions } from "../session/sessions.ts";
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
  readonly #sessions: Sessions;
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
    const classified = { served, gate, classifier: this.#catalog };
    this.#sessions = new Sessions({ ...this.#calls, ...classified, logger });
    this.executor = new QueryExecutor({
      ...this.#calls,
      ...classified,
      sessions: this.#sessions,
      credentials: new CredentialLookup({ database, gate }),
    });
  }

  /** Opens a first connection, so that what is wrong shows now, and reads the catalog. */
  async open(signal: AbortSignal): Promise<void> {
    const lease = await borrowBackend({ scheduler: this.#scheduler, origin: "", signal });
    await lease.release();
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
    await this.#sessions.close();
    await Promise.all([this.#scheduler.close(), this.#catalog.close()]);
  }
}
