import type { TransactionStatus } from "@multipooler/pgwire";
import type { HeldStatements } from "../../statements/held-statements.ts";
import type { OwnStatements } from "./own-statements.ts";

/** Where a unit goes. */
export interface UnitPlace {
  readonly held: HeldStatements;
  /** See `parseConditions`. */
  readonly conditions: string;
  /** The last unnamed statement of the unit is to be found by the next one, so that it gets a name. */
  readonly leavesUnnamed: boolean;
  /** The isolation level of a transaction cannot be set behind a Parse in its place. */
  readonly opensTransaction: boolean;
  /** In a transaction that has failed, PostgreSQL refuses to parse what it has parsed before, too. */
  readonly hold: {
    readonly transaction: TransactionStatus;
    readonly hadTemporary: boolean;
    readonly own: OwnStatements;
  };
}
