import type { SqlToken } from "../statements/sql-tokens.ts";
import { changeOf } from "./setting-changes.ts";

/** A statement of a text that takes settings back to their defaults. */
export interface SettingReset {
  /** In lower case; "all": RESET ALL. */
  readonly names: readonly string[] | "all";
  /** Which statement of the text it is. */
  readonly statement: number;
  /** Where it ends in the text. */
  readonly end: number;
}

/** The statements that take settings back, in their order. */
export function resetsIn(statements: readonly (readonly SqlToken[])[]): readonly SettingReset[] {
  const resets: SettingReset[] = [];
  for (const [statement, tokens] of statements.entries()) {
    const change = changeOf(tokens);
    const end = tokens.at(-1)?.end ?? 0;
    if (change === "all") {
      resets.push({ names: "all", statement, end });
    } else if (change?.type === "reset") {
      resets.push({ names: change.names, statement, end });
    }
  }
  return resets;
}
