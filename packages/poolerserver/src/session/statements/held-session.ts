import type { TransactionStatus } from "@multipooler/pgwire";
import type { OwnStatements } from "./own-statements.ts";

/** What of the backend that a session holds decides which statements it can use. */
export interface HeldSession {
  readonly own: OwnStatements;
  /** Whether the backend is kept with statements that the pooler does not know. */
  readonly isStateful: boolean;
  /**
   * Whether text is not sent in UTF-8, as far as units have ended; `undefined`: as the settings of the
   * session say.
   */
  readonly isOtherEncoding: boolean | undefined;
  /** In a transaction, portals of one unit are there in the next one. */
  readonly transaction: TransactionStatus;
}
