import type { PoolerActivity } from "./pooler-activity.ts";

/** Another value of a setting, as a user writes it; "redacted" for a secret, `undefined` if unset. */
export interface SettingChange {
  readonly name: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
  /** The flag, the variable or the file that sets it; empty for a default and what is not set. */
  readonly source: string;
}

/** A setting that keeps its value until a restart. */
export interface PendingSetting extends SettingChange {
  /** Why, one clause for people. */
  readonly reason: string;
}

/**
 * What became of a reload.
 *
 * | type    | is                                                                       |
 * | ------- | ------------------------------------------------------------------------ |
 * | applied | the settings were read, and what can change at run time has changed      |
 * | refused | something is wrong with them, and nothing has changed; a line a fault    |
 */
export type ReloadOutcome =
  | {
      readonly type: "applied";
      readonly changed: readonly SettingChange[];
      readonly pending: readonly PendingSetting[];
    }
  | { readonly type: "refused"; readonly problems: readonly string[] };

/** What an operator can have the program do beside what the manager does. */
export interface PoolerOperations {
  /** Reads the settings again and applies what can change at run time. Never throws. */
  reload(): ReloadOutcome;
  /** What a reload would do now. Changes nothing, and never throws. */
  explainReload(): ReloadOutcome;
  /** A snapshot of who uses what. Asks nobody. */
  activity(): PoolerActivity;
  /** Ends a client of PostgreSQL's protocol. False: there is none of that id. */
  endClient(id: number): boolean;
  /** Ends a reservation. False: there is none of that id. */
  endReservation(id: bigint): boolean;
}
