import { GrpcServer } from "@multipooler/grpc-services";
import type { GrpcServerOptions } from "@multipooler/grpc-services";
import type { ConnectionLimits } from "./open-files.ts";
import type { Config } from "./settings.ts";
import { buildVersion } from "./version.ts";

export interface GrpcListenerOptions extends Pick<GrpcServerOptions, "manager" | "logger"> {
  readonly limits: ConnectionLimits;
}

/** The transport for gateways and gRPC clients. */
export function grpcListener(
  config: Config,
  { limits, ...options }: GrpcListenerOptions,
): GrpcServer {
  return new GrpcServer({
    ...options,
    host: config.grpcBindAddress,
    port: config.grpcPort,
    version: buildVersion.version,
    connectionLimit: { connections: limits.grpc, reason: limitReason(config, limits) },
  });
}

function limitReason(config: Config, { openFiles }: ConnectionLimits): string {
  return config.grpcMaxConnections === undefined
    ? `a limit of ${openFiles} open files (ulimit -n)`
    : "--grpc-max-connections";
}
