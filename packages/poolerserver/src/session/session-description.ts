import type { SessionState } from "@multipooler/query-service";
import type { SessionHold } from "./session-hold.ts";
import type { UnitPhase } from "./unit/unit-source.ts";

/** What a session that has not ended is doing. */
export function describeSession(
  phase: UnitPhase,
  { reason }: SessionHold,
  sinceMs: number,
): SessionState {
  switch (phase) {
    case "queued":
      return { type: "queued", sinceMs };
    case "running":
    case "asking":
      return { type: "running", sinceMs };
    case "none":
      return reason === undefined ? { type: "idle" } : { type: "pinned", reason, sinceMs };
  }
}
