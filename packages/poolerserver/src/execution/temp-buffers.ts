import { Taint } from "../classification/taint.ts";
import type { TaintSet } from "../classification/taint.ts";
import type { MultiPoolerError } from "../error.ts";
import type { RunnableStatement } from "../statements/backend-statement.ts";

const INVALID_PARAMETER_VALUE = "22023";
/** One statement that can change a setting, and has done nothing when it fails. */
const SETTING_CHANGE = /^\s*(?:set|reset|select)\b[^;]*;?\s*$/i;

/**
 * Whether a call failed only because its session had temporary tables of others before: then
 * `temp_buffers` cannot be changed any more. It may run again on another session.
 */
export function failedOnTempBuffers(
  error: MultiPoolerError | undefined,
  { statement, taint }: { readonly statement: RunnableStatement; readonly taint: TaintSet },
): boolean {
  return (
    isFrozen(error) &&
    statement.type === "simple" &&
    (taint & ~Taint.Settings) === Taint.None &&
    SETTING_CHANGE.test(statement.sql)
  );
}

/** It is the only refusal of that setting with a detail. */
function isFrozen(error: MultiPoolerError | undefined): boolean {
  const diagnostic = error?.diagnostic;
  return (
    diagnostic?.code === INVALID_PARAMETER_VALUE &&
    diagnostic.message.includes('"temp_buffers"') &&
    diagnostic.detail !== undefined
  );
}
