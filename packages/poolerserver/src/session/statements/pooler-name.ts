import { STATEMENT_PREFIX } from "../../statements/statement-registry.ts";

/** No backend has a statement of this name. Closing it is no error. */
export const NOBODY = "ppnone";
/** What a client's DEALLOCATE drops. */
export const DROPPED = "ppdropped";

/** What the pooler runs inside a group of the client's. */
export const INSERTED = "ppinserted";

const OWN_NAMES = new Set([NOBODY, DROPPED, INSERTED]);

/** Whether a name may be that of a statement which the pooler has prepared for all. */
export function isPoolerName(name: string): boolean {
  return name.startsWith(STATEMENT_PREFIX) || OWN_NAMES.has(name);
}
