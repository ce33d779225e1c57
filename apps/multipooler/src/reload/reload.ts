import type { GrpcServer, ReloadOutcome } from "@multipooler/grpc-services";
import type { PostgresProvider } from "@multipooler/manager";
import type { PgwireServer } from "@multipooler/pgwire-services";
import type { MultiPooler } from "@multipooler/poolerserver";
import { systemClock } from "@multipooler/timing";
import type { ClientTlsFiles } from "@multipooler/tls";
import { listenerLimits, tlsFiles } from "../client-listener.ts";
import { poolLimits } from "../controller.ts";
import { databaseTlsConfig } from "../database-tls.ts";
import { preparedPlace } from "../database.ts";
import { grpcFiles, grpcLimits } from "../grpc-server.ts";
import { httpTlsPaths } from "../http/http-tls-config.ts";
import type { HttpTls } from "../http/http-tls.ts";
import type { ProgramLog } from "../log/logger.ts";
import { connectionLimits } from "../open-files.ts";
import { preflight } from "../preflight.ts";
import { ConfigError } from "../settings/config.ts";
import type { Config } from "../settings/settings.ts";
import type { RunningConfig } from "./running-config.ts";

/** The parts that take another configuration while they run. */
export interface ReloadParts {
  readonly log: Pick<ProgramLog, "logger" | "setLevel" | "reopen">;
  readonly tls: Pick<ClientTlsFiles, "prepare" | "settings">;
  readonly httpTls: Pick<HttpTls, "prepare"> | undefined;
  readonly database: Pick<PostgresProvider, "preparePlace">;
  readonly controller: Pick<MultiPooler, "change">;
  readonly grpc: Pick<GrpcServer, "prepare" | "change">;
  readonly clients: Pick<PgwireServer, "prepare" | "change"> | undefined;
  /** The limit of open files of the process. */
  readonly openFiles: number;
}

/** What asked for a reload, for the log. */
export type ReloadCause = "SIGHUP" | "RELOAD" | "ReloadConfig";

/** Opens the log again, reads the configuration and has the parts take it. One line in the log says what came of it. */
export class Reload {
  readonly #running: RunningConfig;
  readonly #parts: ReloadParts;

  constructor(running: RunningConfig, parts: ReloadParts) {
    this.#running = running;
    this.#parts = parts;
  }

  /** For the admin console. @throws ConfigError with what is wrong */
  orThrow(): void {
    const outcome = this.run("RELOAD", {});
    if (outcome.type === "refused") {
      throw new ConfigError(outcome.problems);
    }
  }

  /** `fields` go into the line of the log. Never throws. */
  run(cause: ReloadCause, fields: object): ReloadOutcome {
    const { logger } = this.#parts.log;
    // Also where the settings are wrong: what rotates logs waits for it.
    this.#parts.log.reopen();
    const outcome = this.#running.reload((next, wanted) => this.#prepare(next, wanted));
    switch (outcome.type) {
      case "refused": {
        const { problems } = outcome;
        logger.error({ ...fields, problems }, `${cause} changed nothing: the settings are wrong`);
        break;
      }
      case "applied": {
        const { changed, pending } = outcome;
        logger.info({ ...fields, changed, pending }, `${cause} had the settings read again`);
      }
    }
    return outcome;
  }

  /** What a reload would do now. Never throws. */
  explain(): ReloadOutcome {
    return this.#running.preview((next, wanted) => this.#prepare(next, wanted));
  }

  /** Does all that can fail, and changes nothing. Returns what puts it in place. */
  #prepare(next: Config, wanted: Config): () => void {
    const { log, tls, httpTls, database, controller, grpc, clients, openFiles } = this.#parts;
    preflight(wanted, { clock: systemClock, logger: NO_LOG }, openFiles);
    const httpPaths = httpTlsPaths(next);
    // What waits for a restart takes files too: `next` may need more than `wanted`.
    const limits = connectionLimits(next, openFiles);
    const replacements = [
      tls.prepare(databaseTlsConfig(next)),
      preparedPlace(next, database, { tls, current: () => this.#running.current }),
      grpc.prepare(grpcFiles(next)),
      clients?.prepare(tlsFiles(next)),
      httpPaths && httpTls?.prepare(httpPaths),
    ];
    return () => {
      for (const replace of replacements) {
        replace?.();
      }
      log.setLevel(next.logLevel);
      controller.change(poolLimits(next, limits));
      grpc.change(grpcLimits(next, limits));
      clients?.change(listenerLimits(next, limits));
    };
  }
}

const NO_LOG = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
