import type { ChannelBindingMode } from "@multipooler/tls";
import { PgwireError, PgwireErrorCode } from "../error.ts";
import { SCRAM_SHA_256, SCRAM_SHA_256_PLUS } from "./scram-keys.ts";
import type { ScramBinding } from "./scram.ts";

/** Whether a login is to be bound to the server's certificate, and whether it can be. */
export interface ChannelBinding {
  readonly mode: ChannelBindingMode;
  readonly isEncrypted: boolean;
  /** `undefined` without TLS, and where the algorithm of the certificate names no hash. */
  readonly certificateHash: Buffer | undefined;
}

/**
 * Decides how a login is bound, by what the server offers.
 *
 * @throws AUTHENTICATION_FAILED where the mode is "require" and it cannot be; UNSUPPORTED where the
 *   server offers no mechanism of SCRAM
 */
export function chooseBinding(
  { mode, isEncrypted, certificateHash }: ChannelBinding,
  mechanisms: readonly string[],
): ScramBinding {
  const isOffered = mechanisms.includes(SCRAM_SHA_256_PLUS);
  if (mode !== "disable" && isOffered && certificateHash !== undefined) {
    return { type: "bound", certificateHash };
  }
  if (mode === "require") {
    throw notBound(whyNot({ isEncrypted, isOffered }));
  }
  if (!mechanisms.includes(SCRAM_SHA_256)) {
    throw noMechanism(mechanisms);
  }
  return { type: mode === "prefer" && certificateHash !== undefined ? "unused" : "unsupported" };
}

/**
 * Checks that a server that asks for no proof may do without.
 *
 * @throws AUTHENTICATION_FAILED where the login has to be bound to the server's certificate
 */
export function allowUnbound({ mode }: ChannelBinding): void {
  if (mode === "require") {
    throw notBound("the server let the client in without SCRAM");
  }
}

function whyNot({ isEncrypted, isOffered }: { isEncrypted: boolean; isOffered: boolean }): string {
  if (!isEncrypted) {
    return "the connection is not encrypted";
  }
  return isOffered
    ? "the algorithm of the server's certificate names no hash"
    : `the server does not offer ${SCRAM_SHA_256_PLUS}`;
}

function notBound(why: string): PgwireError {
  return new PgwireError(
    PgwireErrorCode.AuthenticationFailed,
    `authentication failed: channel_binding is "require", but ${why}`,
  );
}

/** How much of a server's list of mechanisms an error quotes. */
const QUOTED_CHARACTERS = 200;

function noMechanism(mechanisms: readonly string[]): PgwireError {
  const offered = mechanisms.join(", ").slice(0, QUOTED_CHARACTERS);
  return unsupportedMethod(`SASL with ${offered}`);
}

/** The server asks for a proof that this package cannot give. */
export function unsupportedMethod(method: string): PgwireError {
  return new PgwireError(
    PgwireErrorCode.Unsupported,
    `the server asks for authentication by ${method}; only trust and ${SCRAM_SHA_256} are supported`,
  );
}
