import { PgwireError, PgwireErrorCode } from "../error.ts";

/**
 * | state   | requests                                   | socket       |
 * | ------- | ------------------------------------------ | ------------ |
 * | open    | accepted                                   | open         |
 * | closing | refused; earlier ones finish               | open         |
 * | closed  | refused; earlier ones fail, or have ended  | broken, gone |
 */
export type ConnectionState = "open" | "closing" | "closed";

/** Why a connection ended. */
export type CloseReason =
  /** `close` ran to its end. */
  | { readonly type: "closed" }
  /** The owner called `destroy`, or `close` gave up waiting. */
  | { readonly type: "destroyed"; readonly error: unknown }
  /** The server or the network ended it, or the protocol was broken. */
  | { readonly type: "lost"; readonly error: PgwireError };

/** The error of a request that the end of its connection left without an answer. */
export function requestLost(
  reason: CloseReason,
  { sent }: { readonly sent: boolean },
): PgwireError {
  switch (reason.type) {
    case "closed":
      return new PgwireError(PgwireErrorCode.Closed, "the connection is closed", { sent });
    case "destroyed":
      return new PgwireError(PgwireErrorCode.ConnectionLost, "the connection was destroyed", {
        cause: reason.error,
        sent,
      });
    case "lost":
      return new PgwireError(
        PgwireErrorCode.ConnectionLost,
        `the connection was lost: ${reason.error.message}`,
        { cause: reason.error, diagnostic: reason.error.diagnostic, sent },
      );
  }
}
