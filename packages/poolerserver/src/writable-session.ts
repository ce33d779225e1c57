import type { Backend } from "./pool/backend.ts";
import type { ReadOnlyEscapes } from "./read-only-guard.ts";

/** What a function may have done out of sight of `findReadOnlyEscapes`; for `readOnlyRefusal`. */
export const WRITABLE_SESSION: ReadOnlyEscapes = {
  administration: undefined,
  writing: "a session whose default_transaction_read_only was switched off",
};

/** Whether the default of the session lets its transactions write. */
export function isWritable({ parameters }: Pick<Backend, "parameters">): boolean {
  return parameters.get("default_transaction_read_only") === "off";
}
