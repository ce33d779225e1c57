import { PgwireError } from "@multipooler/pgwire";
import {
  encodeDiagnostic,
  encodePoolerError,
  MalformedMessageError,
  PoolerErrorCode,
} from "@multipooler/query-service";
import type { Diagnostic, PoolerError } from "@multipooler/query-service";

/** Ends a connection in words: the error is sent as FATAL, and the reason is logged. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly diagnostic: Diagnostic;

  /** `reason` is for the log, where it is more than the client may know. */
  constructor(
    sqlState: string,
    message: string,
    more: Pick<Diagnostic, "detail" | "hint"> & { readonly reason?: string } = {},
  ) {
    const { reason, ...fields } = more;
    super(reason ?? message);
    this.diagnostic = { kind: "error", severity: "FATAL", code: sqlState, message, ...fields };
  }
}

/** Nobody is there any more to be told anything. */
export class ClientGone extends Error {
  override readonly name = "ClientGone";
}

/** The last message for a client whose login failed with `error`; none if nobody would read it. */
export function lastWords(error: unknown): Uint8Array | undefined {
  if (error instanceof ClientGone) {
    return undefined;
  }
  if (error instanceof Refusal) {
    return encodeDiagnostic(error.diagnostic);
  }
  if (error instanceof PgwireError && error.diagnostic !== undefined) {
    return encodeDiagnostic(error.diagnostic);
  }
  if (error instanceof MalformedMessageError) {
    return encodeDiagnostic(new Refusal("08P01", "invalid message format").diagnostic);
  }
  return encodePoolerError(isPoolerError(error) ? error : INTERNAL, "FATAL");
}

/** Whether it is a fault of ours and no error that a client or a database can cause. */
export function isInternal(error: unknown): boolean {
  const isKnown =
    error instanceof Refusal ||
    error instanceof ClientGone ||
    error instanceof PgwireError ||
    error instanceof MalformedMessageError;
  return !isKnown && (!isPoolerError(error) || error.code === PoolerErrorCode.Internal);
}

export function isPoolerError(error: unknown): error is PoolerError {
  return error instanceof Error && error.name === "PoolerError" && "code" in error;
}

const INTERNAL: Pick<PoolerError, "code" | "message" | "diagnostic"> = {
  code: PoolerErrorCode.Internal,
  message: "internal error",
  diagnostic: undefined,
};
