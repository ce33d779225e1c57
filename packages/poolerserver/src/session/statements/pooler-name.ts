import { STATEMENT_PREFIX } from "../../statements/statement-registry.ts";

/** No backend has a statement of this name. Closing it is no error. */
export const NOBODY = "ppnone";
/** What a client's DEALLOCATE drops. */
export const DROPPED = "ppdropped";

/** What puts start-up settings back in place. */
export const RESTORING = "pprestoring";

const OWN_NAMES = new Set([NOBODY, DROPPED, RESTORING]);

/** Whether a name may be that of a statement which the pooler has prepared for all. */
export function isPoolerName(name: string): boolean {
  return name.startsWith(STATEMENT_PREFIX) || OWN_NAMES.has(name);
}
