import type { SynchronousReplication } from "../replication/replication-control.ts";
import type { RoleAction } from "./action-journal.ts";

/** A journal as its file has it; without an action where there is none. */
export type JournalContent =
  | { readonly action?: undefined }
  | {
      readonly action: RoleAction;
      readonly isDone: boolean;
      readonly startedAt: string;
      readonly term: string;
      readonly lsn?: string;
      readonly terminated?: number;
      readonly synchronous?: SynchronousReplication;
    };

const ACTIONS: ReadonlySet<unknown> = new Set<RoleAction>(["Promote", "Demote", "UndoDemote"]);
const COMMITS: ReadonlySet<unknown> = new Set([
  "off",
  "local",
  "remote_write",
  "on",
  "remote_apply",
]);

/** Whether an object of a file is a journal. */
export function isJournalContent(content: object): content is JournalContent {
  if (!("action" in content)) {
    return Object.keys(content).length === 0;
  }
  return (
    ACTIONS.has(content.action) &&
    "isDone" in content &&
    typeof content.isDone === "boolean" &&
    "startedAt" in content &&
    typeof content.startedAt === "string" &&
    !Number.isNaN(Date.parse(content.startedAt)) &&
    "term" in content &&
    typeof content.term === "string" &&
    /^\d{1,19}$/.test(content.term) &&
    hasDetails(content)
  );
}

function hasDetails(content: object): boolean {
  return (
    (!("lsn" in content) || typeof content.lsn === "string") &&
    (!("terminated" in content) || typeof content.terminated === "number") &&
    (!("synchronous" in content) || isSynchronous(content.synchronous))
  );
}

function isSynchronous(value: unknown): boolean {
  return (
    typeof value === "object" &&
    value !== null &&
    "commit" in value &&
    COMMITS.has(value.commit) &&
    "method" in value &&
    (value.method === "first" || value.method === "any") &&
    "count" in value &&
    typeof value.count === "number" &&
    "standbys" in value &&
    Array.isArray(value.standbys) &&
    value.standbys.every(isPooler)
  );
}

function isPooler(value: unknown): boolean {
  return (
    typeof value === "object" &&
    value !== null &&
    "cell" in value &&
    typeof value.cell === "string" &&
    "name" in value &&
    typeof value.name === "string"
  );
}
