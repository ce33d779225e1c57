import { TlsError, TlsErrorCode } from "./error.ts";

/**
 * How a connection to PostgreSQL is encrypted, in libpq's words.
 *
 * | mode        | encrypted                  | the certificate is                               |
 * | ----------- | -------------------------- | ------------------------------------------------ |
 * | disable     | never                      | not asked for                                    |
 * | prefer      | if that works              | verified as in verify-ca, if there is a `ca`     |
 * | require     | always                     | verified as in verify-ca, if there is a `ca`     |
 * | verify-ca   | always                     | signed by one of `ca`                            |
 * | verify-full | always                     | signed by one of `ca`, and for the server's name |
 *
 * A Unix socket is never encrypted, whatever the mode.
 */
export const TLS_MODES = ["disable", "prefer", "require", "verify-ca", "verify-full"] as const;
export type TlsMode = (typeof TLS_MODES)[number];

/** How TLS begins: after a question in PostgreSQL's protocol, or at once (PostgreSQL 17). */
export const TLS_NEGOTIATIONS = ["postgres", "direct"] as const;
export type TlsNegotiation = (typeof TLS_NEGOTIATIONS)[number];

/** Whether a login with SCRAM is bound to the server's certificate. */
export const CHANNEL_BINDINGS = ["disable", "prefer", "require"] as const;
export type ChannelBindingMode = (typeof CHANNEL_BINDINGS)[number];

/** How connections to a PostgreSQL server are encrypted. Certificates and keys are PEM texts. */
export interface TlsSettings {
  readonly mode: TlsMode;
  /** Default: "postgres". */
  readonly negotiation?: TlsNegotiation | undefined;
  /** Default: "prefer". */
  readonly channelBinding?: ChannelBindingMode | undefined;
  /** The authorities that are trusted. */
  readonly ca?: string | undefined;
  /** What this side shows to a server that asks, with those that lead to a known authority. */
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
  /**
   * The host name or IP address that the server's certificate has to be for with verify-full. A name
   * is sent to the server too (SNI). Default: the host that is connected to.
   */
  readonly serverName?: string | undefined;
}

/** What can contradict each other in settings, before any file is read. */
export interface TlsDemands extends Pick<TlsSettings, "mode" | "negotiation" | "channelBinding"> {
  /** Where the authorities come from. */
  readonly authorities: "none" | "given" | "system";
  readonly hasCertificate: boolean;
  readonly hasKey: boolean;
}

/** @throws INVALID_SETTINGS, with libpq's names of the settings, where libpq refuses them too. */
export function checkTlsDemands(demands: TlsDemands): void {
  const { mode, negotiation, channelBinding, authorities, hasCertificate, hasKey } = demands;
  if (authorities === "none" && (mode === "verify-ca" || mode === "verify-full")) {
    throw invalid(`sslmode "${mode}" needs sslrootcert: a file, or "system"`);
  }
  if (authorities === "system" && mode !== "verify-full") {
    throw invalid(
      `sslmode "${mode}" is too weak for sslrootcert "system": any name that some authority certified would do; use "verify-full"`,
    );
  }
  if (negotiation === "direct" && (mode === "disable" || mode === "prefer")) {
    throw invalid(
      `sslmode "${mode}" is too weak for sslnegotiation "direct": use "require", "verify-ca" or "verify-full"`,
    );
  }
  if (channelBinding === "require" && mode === "disable") {
    throw invalid('channel_binding "require" needs TLS, and sslmode is "disable"');
  }
  if (hasCertificate !== hasKey) {
    const [given, missing] = hasCertificate ? ["sslcert", "sslkey"] : ["sslkey", "sslcert"];
    throw invalid(`${given} is set without ${missing}`);
  }
}

/** Whether the chain of the server's certificate is verified. */
export function verifiesChain({ mode, ca }: TlsSettings): boolean {
  return mode === "verify-ca" || mode === "verify-full" || ca !== undefined;
}

function invalid(problem: string): TlsError {
  return new TlsError(TlsErrorCode.InvalidSettings, problem);
}
