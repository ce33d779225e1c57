import { GrpcServer, GrpcServicesError, checkManagerTokens } from "@multipooler/grpc-services";
import type {
  ChangeableGrpcLimits,
  GrpcFiles,
  GrpcServerOptions,
} from "@multipooler/grpc-services";
import type { Logger } from "pino";
import { grpcTls } from "./grpc-tls.ts";
import type { ConnectionLimits } from "./open-files.ts";
import { ConfigError } from "./settings/config.ts";
import type { Config } from "./settings/settings.ts";
import { buildVersion } from "./version.ts";

/** The gRPC server of the configuration, which does not listen yet. */
export function grpcServerOf(
  config: Config,
  limits: ConnectionLimits,
  {
    manager,
    operations,
    observeCall,
    logger,
  }: Pick<GrpcServerOptions, "manager" | "operations" | "observeCall"> & {
    readonly logger: Logger;
  },
): GrpcServer {
  return new GrpcServer({
    manager,
    operations,
    host: config.grpcBindAddress,
    port: config.grpcPort,
    socketFile: config.grpcSocketFile,
    tls: grpcTls(config),
    version: buildVersion.version,
    ...grpcLimits(config, limits),
    healthStalenessMs: unlessZero(config.healthStalenessMs),
    observeCall,
    withheld: config.withheldServices,
    managerAccess: managerAccessOf(config),
    logger: logger.child({ component: "grpc" }),
  });
}

/** What of it can change while it listens. */
export function grpcLimits(
  config: Config,
  limits: Pick<ConnectionLimits, "grpc" | "openFiles">,
): ChangeableGrpcLimits {
  return {
    connectionLimit: { connections: limits.grpc, reason: limitReason(config, limits) },
    maxReceivingBytes: config.grpcMaxReceivingBytes,
    receiveTimeoutMs: config.grpcReceiveTimeoutMs,
    clientStallTimeoutMs: config.clientStallTimeoutMs,
    keepaliveIntervalMs: config.grpcKeepaliveMs,
    keepaliveTimeoutMs: config.grpcKeepaliveTimeoutMs,
    maxConnectionAgeMs: unlessZero(config.grpcMaxConnectionAgeMs),
    maxConnectionAgeGraceMs: unlessZero(config.grpcMaxConnectionAgeGraceMs),
  };
}

/** The files of it that can be replaced by others. */
export function grpcFiles(config: Config): GrpcFiles {
  return { tls: grpcTls(config), tokenFile: config.managerTokenFile };
}

/** Reads the tokens of those who manage. @throws ConfigError for a file that cannot be used */
export function checkTokens({ managerTokenFile }: Config): void {
  if (managerTokenFile === undefined) {
    return;
  }
  try {
    checkManagerTokens(managerTokenFile);
  } catch (error) {
    if (error instanceof GrpcServicesError) {
      throw new ConfigError([`--grpc-manager-token-file: ${error.message}`], { cause: error });
    }
    throw error;
  }
}

/** `undefined` where nothing is asked of those who manage. */
function managerAccessOf({
  managerTokenFile: tokenFile,
  managerSubstrings: allowedSubjects,
}: Config): GrpcServerOptions["managerAccess"] {
  return tokenFile === undefined && allowedSubjects === undefined
    ? undefined
    : { tokenFile, allowedSubjects };
}

/** In the settings 0 stands for the default, or for no limit. */
function unlessZero(ms: number): number | undefined {
  return ms === 0 ? undefined : ms;
}

function limitReason(config: Config, { openFiles }: Pick<ConnectionLimits, "openFiles">): string {
  return config.grpcMaxConnections === undefined
    ? `a limit of ${openFiles} open files (ulimit -n)`
    : "--grpc-max-connections";
}
