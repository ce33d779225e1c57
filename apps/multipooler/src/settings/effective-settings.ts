import { findValue } from "./setting-source.ts";
import type { ConfigSources, SourceType } from "./setting-source.ts";
import type { SettingTable } from "./setting.ts";

/** What a setting is, and why. */
export interface EffectiveSetting {
  /** As the file names it, and the command line with two dashes. */
  readonly name: string;
  /** As a user writes it; "redacted" for a secret, `undefined` if it is not set. */
  readonly value: string | undefined;
  readonly source: SourceType | "unset";
  /** The flag, the variable or the file that sets it; empty for a default and what is not set. */
  readonly from: string;
  /** Set where another value waits for a restart. */
  readonly pending?: {
    readonly value: string | undefined;
    readonly from: string;
    /** Why it does, one clause. */
    readonly reason: string;
  };
}

/** Every setting of a table in its order, without the values of secrets. */
export function effectiveSettings(
  table: SettingTable,
  sources: ConfigSources,
): readonly EffectiveSetting[] {
  return Object.values(table).map((setting) => {
    const found = findValue(setting, sources);
    if (found === undefined) {
      return { name: setting.flag, value: undefined, source: "unset", from: "" };
    }
    const { text, source, name } = found;
    const value = setting.secret ? "redacted" : text;
    return { name: setting.flag, value, source, from: source === "default" ? "" : name };
  });
}
