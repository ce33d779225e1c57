import type { Logger } from "@multipooler/logging";
import type { ClientTlsFiles, WatchContext } from "@multipooler/tls";
import { checkConsole } from "./admin-console.ts";
import { tlsFiles } from "./client-listener.ts";
import { databaseTls } from "./database-tls.ts";
import { checkPasswordFile, databaseOf } from "./database.ts";
import { checkTokens } from "./grpc-server.ts";
import { grpcTls } from "./grpc-tls.ts";
import { httpTls } from "./http/http-tls-config.ts";
import type { HttpTls } from "./http/http-tls.ts";
import { connectionLimits, openFilesLimit } from "./open-files.ts";
import type { ConnectionLimits } from "./open-files.ts";
import { checkServerTls } from "./server-tls.ts";
import type { Config } from "./settings/settings.ts";
import { topologyTarget } from "./topology-target.ts";
import type { TopologyTarget } from "./topology-target.ts";

/** What a start needs, made of settings that fit together. */
export interface Preflight {
  readonly target: TopologyTarget;
  readonly tls: ClientTlsFiles;
  /** `undefined`: HTTP is not encrypted. */
  readonly httpTls: HttpTls | undefined;
  readonly limits: ConnectionLimits;
}

/**
 * Checks the settings against each other and reads the files that they name; makes and opens nothing.
 *
 * @throws ConfigError naming the settings and what is wrong with them
 */
export function preflight(
  config: Config,
  context: WatchContext & { readonly logger: Logger },
  openFiles: number = openFilesLimit(),
): Preflight {
  const target = topologyTarget(config);
  checkPasswordFile(config);
  checkServerTls("--pg-tls-*", tlsFiles(config), context);
  checkConsole(config);
  checkServerTls("--grpc-cert, --grpc-key", grpcTls(config), context);
  checkTokens(config);
  const tls = databaseTls(config, context);
  // Opens nothing, and refuses what it could not go by.
  databaseOf(config, { tls, current: () => config });
  return {
    target,
    tls,
    httpTls: httpTls(config, context),
    limits: connectionLimits(config, openFiles),
  };
}
