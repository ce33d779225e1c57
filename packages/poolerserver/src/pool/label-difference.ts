import type { Prelude } from "@multipooler/pgwire";
import type { LabelSettings } from "./label-settings.ts";

/** They go first when they are reset and last when they are set, in this order. */
const AUTHORIZATION = "session_authorization";
const ROLE = "role";
const TEMP_BUFFERS = "temp_buffers";

/** A session as far as its settings go. */
export interface LabelledSession {
  /** What it has now. */
  readonly settings: LabelSettings;
  /** What it reported when it was opened, by name in lower case. */
  readonly initialParameters: ReadonlyMap<string, string>;
  /** It may have used temporary tables: then `temp_buffers` cannot be changed any more. */
  readonly hadState: boolean;
}

/** Whether a session can get other settings without being opened again. */
export function canBecome(session: LabelledSession, to: LabelSettings): boolean {
  const { settings: from } = session;
  if (from === to && !to.changesIdentity) {
    return true;
  }
  // The server would take the text of the difference for one in the encoding that is left.
  if (from.isOtherEncoding && (from.obscuresText || !to.isInAnyEncoding)) {
    return false;
  }
  return !session.hadState || from.values.get(TEMP_BUFFERS) === to.values.get(TEMP_BUFFERS);
}

/**
 * The statements that bring a session from its settings to others, in a transaction of their own;
 * `undefined`: it has them. One call of set_config for each setting, whose value is left to the
 * server to judge.
 */
export function labelDifference(
  { settings: { values: from }, initialParameters }: LabelledSession,
  to: LabelSettings,
  done: () => void,
): Prelude | undefined {
  const calls: string[] = [];
  const reports = new Map<string, string | undefined>();
  const reset = (name: string): void => {
    calls.push(`pg_catalog.set_config(${literal(name)}, NULL, false)`);
    reports.set(name, initialParameters.get(name));
  };
  const set = (name: string, value: string): void => {
    calls.push(`pg_catalog.set_config(${literal(name)}, ${literal(value)}, false)`);
    reports.set(name, value);
  };
  for (const name of [ROLE, AUTHORIZATION]) {
    if (from.has(name)) {
      reset(name);
    }
  }
  for (const name of from.keys()) {
    if (!isIdentity(name) && !to.values.has(name)) {
      reset(name);
    }
  }
  for (const [name, value] of to.values) {
    if (!isIdentity(name) && from.get(name) !== value) {
      set(name, value);
    }
  }
  for (const name of [AUTHORIZATION, ROLE]) {
    const value = to.values.get(name);
    if (value !== undefined) {
      set(name, value);
    }
  }
  if (calls.length === 0) {
    return undefined;
  }
  // BEGIN and COMMIT end the transaction without the warning that COMMIT alone would log.
  return { statements: [`SELECT ${calls.join(", ")}`, "BEGIN", "COMMIT"], reports, done };
}

function isIdentity(name: string): boolean {
  return name === ROLE || name === AUTHORIZATION;
}

/** A constant that reads the same whatever `standard_conforming_strings` is. */
export function literal(text: string): string {
  return `E'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
