import * as z from "zod";
import { settingGroup } from "./setting.ts";
import type { Kind, Setting } from "./setting.ts";

const unoffered = settingGroup("Not offered yet");

/**
 * Settings of Multigres' multipooler that ask for protection which this version does not have. To
 * accept them would carry in the clear what was to be encrypted, or let in who was to be kept out,
 * so that only values that ask for nothing are taken.
 */
export const unofferedSettings = {
  grpcCert: ask("grpc-cert", [], "TLS of the gRPC server"),
  grpcKey: ask("grpc-key", [], "TLS of the gRPC server"),
  grpcCa: ask("grpc-ca", [], "TLS of the gRPC server"),
  grpcServerCa: ask("grpc-server-ca", [], "TLS of the gRPC server"),
  grpcCrl: ask("grpc-crl", [], "TLS of the gRPC server"),
  grpcEnableOptionalTls: ask("grpc-enable-optional-tls", ["false"], "TLS of the gRPC server"),
  grpcAuthMode: ask("grpc-auth-mode", [], "authentication of gRPC clients"),
  grpcAuthSubstrings: ask(
    "grpc-auth-mtls-allowed-substrings",
    [],
    "authentication of gRPC clients",
  ),
} as const satisfies Record<string, Setting<unknown>>;

/** @param harmless the values that ask for nothing, beside the empty one. */
function ask(flag: string, harmless: readonly string[], what: string): Setting<string | undefined> {
  const kind: Kind<string> = {
    placeholder: "value",
    schema: z.string().refine((value) => value === "" || harmless.includes(value), {
      error: `asks for ${what}, which is not offered by this version`,
    }),
  };
  const taken = harmless.length === 0 ? "none" : harmless.join(", ");
  return unoffered.optional(flag, kind, { help: `Refused: ${what}. Taken: ${taken}.` });
}
