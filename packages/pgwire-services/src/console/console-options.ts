import type { ConsolePooler } from "./console-pooler.ts";

/** A setting of the program, for SHOW CONFIG. */
export interface ConsoleSetting {
  readonly name: string;
  /** `undefined`: it is not set. */
  readonly value: string | undefined;
  readonly default: string | undefined;
  /** Whether a reload changes it. */
  readonly isChangeable: boolean;
}

/** The admin console: a database that exists in the pooler only. */
export interface ConsoleOptions {
  /** Its name. A database of that name on the server cannot be reached. */
  readonly database: string;
  /** Roles that may do everything; read when they are needed, as those that follow. */
  readonly admins: readonly string[];
  /** Roles that may use SHOW. */
  readonly viewers: readonly string[];
  readonly pooler: ConsolePooler;
  /** What SHOW VERSION says. */
  readonly version: string;
  /** What SHOW CONFIG shows, secrets left out. */
  readonly settings: () => readonly ConsoleSetting[];
  /** Reads again what can change while the process runs. Rejects with why it cannot. */
  readonly reload: () => Promise<void>;
}
