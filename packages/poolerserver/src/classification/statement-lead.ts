import { decidesMeaning } from "../statements/parse-conditions.ts";
import { words } from "./builtin-functions.ts";
import { Taint } from "./taint.ts";
import type { TaintSet } from "./taint.ts";

/** What the first words of a statement tell of it. */
export interface Lead {
  /** Whether it can be sent only to a backend that nobody else uses meanwhile. */
  readonly isAlone: boolean;
  readonly taint: TaintSet;
  readonly ddl?: boolean;
  readonly opensTransaction?: boolean;
  readonly endsTransaction?: boolean;
  readonly deallocates?: boolean;
  readonly setsLocally?: boolean;
}

const SHARED: Lead = { isAlone: false, taint: Taint.None };
const ALONE: Lead = { isAlone: true, taint: Taint.None };
const OPENS: Lead = { ...ALONE, opensTransaction: true };
const ENDS: Lead = { ...ALONE, endsTransaction: true };
const SETTINGS: Lead = { isAlone: true, taint: Taint.Settings };
const LOCAL: Lead = { ...ALONE, setsLocally: true };
const SEED: Lead = { isAlone: true, taint: Taint.Seed };
const STATE: Lead = { isAlone: true, taint: Taint.State };
/** The search path can begin with the schema of temporary objects, out of sight. */
const DDL: Lead = { isAlone: true, taint: Taint.Temporary, ddl: true };
/** Whether none is left is for the server to say. */
const DISCARDS_TEMPORARY: Lead = { isAlone: true, taint: Taint.Temporary };
/** Runs code of an extension, or of a library. */
const FOREIGN: Lead = { isAlone: true, taint: Taint.Unknown, ddl: true };
const UNKNOWN: Lead = { isAlone: true, taint: Taint.Unknown };
const DEALLOCATES: Lead = { ...UNKNOWN, deallocates: true };

const LEADS: ReadonlyMap<string, Lead> = new Map(
  (
    [
      [SHARED, "select values table with explain show insert update delete merge truncate"],
      [ALONE, "savepoint release lock fetch move close notify checkpoint vacuum analyze analyse"],
      [ALONE, "cluster reindex refresh copy grant revoke comment declare"],
      [OPENS, "begin start"],
      [ENDS, "commit end rollback abort"],
      [SETTINGS, "reset"],
      [STATE, "listen unlisten prepare"],
      [DDL, "create alter drop reassign"],
      [FOREIGN, "security import"],
      [DEALLOCATES, "deallocate"],
      [{ isAlone: true, taint: Taint.Lasting }, "load"],
    ] as const
  ).flatMap(([lead, names]) => words(names).map((name) => [name, lead] as const)),
);

/** How many tokens of a statement {@link leadOf} looks at. */
export const HEAD_LENGTH = 4;

/** Judges a statement by its first tokens; what cannot be told, such as DO, may do anything. */
export function leadOf(head: readonly string[]): Lead {
  const [first = "", second = "", third = ""] = head;
  switch (first) {
    case "set":
      return setLead(second === "session" || second === "local" ? head.slice(1) : head, second);
    case "create":
    case "alter":
      return second === "extension" ? FOREIGN : DDL;
    case "discard":
      return discardLead(second);
    case "prepare":
      return second === "transaction" ? ENDS : STATE;
    case "rollback":
      // ROLLBACK [WORK | TRANSACTION] TO goes back to a savepoint and stays in the transaction.
      return second === "to" || third === "to" ? ALONE : ENDS;
    default:
      return LEADS.get(first) ?? UNKNOWN;
  }
}

function discardLead(what: string): Lead {
  switch (what) {
    case "all":
      return DEALLOCATES;
    case "temp":
    case "temporary":
      return DISCARDS_TEMPORARY;
    default:
      return ALONE;
  }
}

const BODY_LEADS = new Set(
  words("set reset listen unlisten load create alter drop security import reassign discard"),
);

/** As {@link leadOf}, in the code of a function, where statements may begin with anything. */
export function bodyLeadOf(head: readonly string[]): Lead {
  return BODY_LEADS.has(head[0] ?? "") ? leadOf(head) : SHARED;
}

/** SET LOCAL, SET TRANSACTION and SET CONSTRAINTS end with the transaction; a seed does not. */
function setLead(head: readonly string[], scope: string): Lead {
  const [, second = "", third = ""] = head;
  if (second.toLowerCase() === "seed") {
    return SEED;
  }
  if (second === "characteristics" || third === "characteristics") {
    return SETTINGS;
  }
  if (second === "transaction" || second === "constraints") {
    return ALONE;
  }
  if (scope !== "local") {
    return SETTINGS;
  }
  return third !== "." && decidesMeaning(second) ? LOCAL : ALONE;
}
