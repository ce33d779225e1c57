import * as z from "zod";
import { FILE_RELOAD, TLS_SET_UP, choice, path, settingGroup, unsetIfEmpty } from "./setting.ts";
import type { Kind, Setting } from "./setting.ts";

const tls = settingGroup("TLS of gRPC, and who may manage", TLS_SET_UP);

/** Parts of subjects, separated by colons. */
const substrings: Kind<readonly string[]> = {
  placeholder: "list",
  schema: z
    .string()
    .transform((text) => text.split(":"))
    .refine((parts) => !parts.includes(""), {
      error: "holds an empty part, which would be in every subject",
    }),
};

/**
 * How connections of gRPC clients are encrypted, and which clients are served. Launch lines of Multigres
 * give flags with an empty value where they mean nothing.
 */
export const grpcTlsSettings = {
  grpcCert: tls.optional("grpc-cert", unsetIfEmpty(path), {
    reload: FILE_RELOAD,
    help: "PEM file with the certificate for gRPC clients, read again when it is replaced. Turns on TLS.",
  }),
  grpcKey: tls.optional("grpc-key", unsetIfEmpty(path), {
    reload: FILE_RELOAD,
    help: "PEM file with the key of --grpc-cert.",
  }),
  grpcServerCa: tls.optional("grpc-server-ca", unsetIfEmpty(path), {
    reload: FILE_RELOAD,
    help: "PEM file with certificates that lead from --grpc-cert to one that clients know.",
  }),
  grpcCa: tls.optional("grpc-ca", unsetIfEmpty(path), {
    reload: FILE_RELOAD,
    help: "PEM file with the authorities of clients; each client needs a certificate then.",
  }),
  grpcAuthMode: tls.optional("grpc-auth-mode", unsetIfEmpty(choice(["mtls"])), {
    help: "mtls: serve only clients that --grpc-auth-mtls-allowed-substrings names.",
  }),
  grpcAuthSubstrings: tls.optional("grpc-auth-mtls-allowed-substrings", unsetIfEmpty(substrings), {
    help: "Parts of subjects, separated by colons; one has to be in that of the client's certificate.",
  }),
  managerTokenFile: tls.optional("grpc-manager-token-file", path, {
    reload: FILE_RELOAD,
    help:
      "File with a token a line; calls of the manager service (ctl) and of consensus need one then. Read " +
      "again when it is replaced.",
  }),
  managerSubstrings: tls.optional("grpc-manager-allowed-substrings", unsetIfEmpty(substrings), {
    help:
      "Parts of subjects, separated by colons: clients whose certificate has one of them may call the " +
      "services that manage, and no others but those with a token of --grpc-manager-token-file.",
  }),
  grpcCrl: tls.optional("grpc-crl", refused([""], "lists of revoked certificates are not read"), {
    help: "Refused: lists of revoked certificates are not read, as in Multigres.",
  }),
  grpcEnableOptionalTls: tls.optional(
    "grpc-enable-optional-tls",
    refused(["", "false"], "with TLS there is no connection without it"),
    { help: "Refused unless false: with TLS there is no connection without it, as in Multigres." },
  ),
} as const satisfies Record<string, Setting<unknown>>;

/** Takes only values that ask for nothing: the pooler would run without what the others ask for. */
function refused(harmless: readonly string[], why: string): Kind<string> {
  return {
    placeholder: "value",
    schema: z.string().refine((value) => harmless.includes(value), {
      error: `asks for what this version does not offer: ${why}`,
    }),
  };
}
