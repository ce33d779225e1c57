import type { Settings } from "@multipooler/query-service";

/** It is for people, and changes nothing of what a statement does. */
const DISPLAY_ONLY = "application_name";

/**
 * The query that gives a session the settings of its client, or `undefined` if a backend has them as
 * it is. `parameters` are what a backend has reported.
 */
export function startupQuery(
  settings: Settings,
  parameters: ReadonlyMap<string, string>,
): string | undefined {
  const reported = new Map([...parameters].map(([name, value]) => [name.toLowerCase(), value]));
  const calls: string[] = [];
  for (const [name, value] of settings) {
    const setting = name.toLowerCase();
    if (setting !== DISPLAY_ONLY && !isSame(reported.get(setting), value)) {
      calls.push(`pg_catalog.set_config(${literal(name)}, ${literal(value)}, false)`);
    }
  }
  return calls.length === 0 ? undefined : `SELECT ${calls.join(", ")}`;
}

function isSame(reported: string | undefined, wanted: string): boolean {
  return reported?.toLowerCase() === wanted.toLowerCase();
}

/** A constant that reads the same whatever `standard_conforming_strings` is. */
function literal(text: string): string {
  return `E'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
