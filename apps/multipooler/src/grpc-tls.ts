import type { GrpcTlsOptions } from "@multipooler/grpc-services";
import { ConfigError } from "./settings/config.ts";
import type { Config } from "./settings/settings.ts";

type GrpcTlsConfig = Pick<
  Config,
  | "grpcCert"
  | "grpcKey"
  | "grpcServerCa"
  | "grpcCa"
  | "grpcAuthMode"
  | "grpcAuthSubstrings"
  | "managerSubstrings"
>;

/**
 * The TLS of the gRPC server; `undefined` if nothing asks for it.
 *
 * @throws ConfigError where settings lack those that they need
 */
export function grpcTls(config: GrpcTlsConfig): GrpcTlsOptions | undefined {
  const problems = problemsOf(config);
  if (problems.length > 0) {
    throw new ConfigError(problems);
  }
  const { grpcCert: certFile, grpcKey: keyFile } = config;
  if (certFile === undefined || keyFile === undefined) {
    return undefined;
  }
  return {
    certFile,
    keyFile,
    chainFile: config.grpcServerCa,
    clientCaFile: config.grpcCa,
    allowedSubjects: config.grpcAuthMode === undefined ? undefined : config.grpcAuthSubstrings,
  };
}

function problemsOf(config: GrpcTlsConfig): string[] {
  const { grpcCert, grpcKey, grpcServerCa, grpcCa, grpcAuthMode, grpcAuthSubstrings } = config;
  const needs = (flag: string, given: unknown, needed: string, has: unknown): string[] =>
    given !== undefined && has === undefined ? [`--${flag} needs --${needed}`] : [];
  return [
    ...needs("grpc-cert", grpcCert, "grpc-key", grpcKey),
    ...needs("grpc-key", grpcKey, "grpc-cert", grpcCert),
    ...needs("grpc-server-ca", grpcServerCa, "grpc-cert", grpcCert),
    ...needs("grpc-ca", grpcCa, "grpc-cert", grpcCert),
    ...needs("grpc-auth-mode", grpcAuthMode, "grpc-ca", grpcCa),
    ...needs("grpc-manager-allowed-substrings", config.managerSubstrings, "grpc-ca", grpcCa),
    ...needs(
      "grpc-auth-mode",
      grpcAuthMode,
      "grpc-auth-mtls-allowed-substrings",
      grpcAuthSubstrings,
    ),
    ...needs(
      "grpc-auth-mtls-allowed-substrings",
      grpcAuthSubstrings,
      "grpc-auth-mode mtls",
      grpcAuthMode,
    ),
  ];
}
