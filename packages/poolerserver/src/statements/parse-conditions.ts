import type { Settings } from "@multipooler/query-service";

/**
 * Settings that many clients have and that do not change what a text means when it is parsed. All
 * others count: `search_path` decides what names mean, and a date in the text is read under
 * `DateStyle` when it is parsed.
 */
const HARMLESS: ReadonlySet<string> = new Set([
  "application_name",
  "bytea_output",
  "client_min_messages",
  "extra_float_digits",
  "idle_in_transaction_session_timeout",
  "idle_session_timeout",
  "lock_timeout",
  "maintenance_work_mem",
  "statement_timeout",
  "synchronous_commit",
  "transaction_timeout",
  "work_mem",
]);

/**
 * Whether a setting that is changed within a transaction decides what is parsed there. What has a
 * prefix is an application's or an extension's own: no text is parsed by it.
 */
export function decidesMeaning(name: string): boolean {
  return !name.includes(".") && !HARMLESS.has(name.toLowerCase());
}

/** The settings under which a text is parsed, as a key: equal keys, equal meaning. */
export function parseConditions(settings: Settings): string {
  if (settings.size === 0) {
    return "";
  }
  const counting = [...settings]
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name]) => !HARMLESS.has(name));
  return counting.length === 0
    ? ""
    : JSON.stringify(counting.toSorted(([one], [other]) => (one < other ? -1 : 1)));
}
