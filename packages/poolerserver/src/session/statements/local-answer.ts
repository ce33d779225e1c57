import { encodeReadyForQuery } from "@multipooler/pgwire";
import type { TransactionStatus } from "@multipooler/pgwire";
import type { StatementRegistry } from "../../statements/statement-registry.ts";
import type { SessionSettings } from "../settings/session-settings.ts";
import type { StatementMessage } from "./statement-message.ts";

/** The answer to a Parse that has succeeded. */
export const PARSE_COMPLETE: Buffer = Buffer.from("1\0\0\0\u0004");
const CLOSE_COMPLETE: Buffer = Buffer.from("3\0\0\0\u0004");

export interface LocalAnswerOptions {
  readonly registry: StatementRegistry;
  readonly settings: SessionSettings;
  /** Of the session, after the unit as before it. */
  readonly status: TransactionStatus;
}

/**
 * The answer to a unit that only parses and closes statements while no backend is held, where the
 * server has taken each of them before, from the same user. `undefined`: a backend is needed. So a
 * client can prepare while others have all backends in transactions that wait for it.
 */
export function localAnswer(
  messages: readonly StatementMessage[],
  { registry, settings, status }: LocalAnswerOptions,
): Buffer | undefined {
  const replies: Uint8Array[] = [];
  for (const { kind, statement, isParse } of messages) {
    if (isParse) {
      return undefined;
    }
    switch (kind) {
      case "parse":
        if (
          statement === undefined ||
          !registry.isAccepted(
            statement.registeredIn(registry, settings.conditions),
            settings.loginUser,
          )
        ) {
          return undefined;
        }
        replies.push(PARSE_COMPLETE);
        break;
      case "close":
      case "plain":
        replies.push(CLOSE_COMPLETE);
        break;
      case "duplicate":
      case "missing":
      case "taken":
      case "use":
      case "prepare":
      case "execute":
      case "bring":
      case "bringBehind":
      case "restoreIn":
      case "restoreBehind":
      case "deallocate":
        return undefined;
    }
  }
  replies.push(encodeReadyForQuery(status));
  return Buffer.concat(replies);
}
