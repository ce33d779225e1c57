import { managerFailed } from "./actions/guardrails.ts";
import { ManagerError, ManagerErrorCode } from "./manager-error.ts";
import type { ManagerState } from "./manager-status.ts";
import type { RunParts } from "./run-parts.ts";

/**
 * Where a run is in its life. What lives as long as a server is in `PoolerSteps`.
 *
 * | from        | to          | when                                                             |
 * | ----------- | ----------- | ---------------------------------------------------------------- |
 * | opening     | registering | the transports listen                                            |
 * | registering | running     | the record is registered, or the topology turned out to be away  |
 * | registering | failed      | the topology refuses the record                                  |
 * | running     | failed      | before it was first ready: a fault of the database that no retry cures, |
 * |             |             | unless an operator wants nothing to be served                    |
 *
 * Only a running one is led by what database and topology say. `close` ends it in every phase.
 */
export type Phase =
  | { readonly name: "opening" }
  | { readonly name: "registering"; readonly parts: RunParts }
  | { readonly name: "running"; readonly parts: RunParts; readonly wasReady: boolean }
  | { readonly name: "failed"; readonly parts: RunParts; readonly error: ManagerError };

/** The phase as a status shows it. */
export function stateOf(phase: Phase): ManagerState {
  switch (phase.name) {
    case "opening":
    case "registering":
      return { name: "starting" };
    case "running":
      return { name: phase.wasReady ? "ready" : "starting" };
    case "failed":
      return { name: "error", error: phase.error };
  }
}

/**
 * What verbs act on. Throws NOT_OPEN before the record is registered, and the error of a start that
 * failed.
 */
export function runningParts(phase: Phase): RunParts {
  switch (phase.name) {
    case "opening":
    case "registering":
      throw new ManagerError(ManagerErrorCode.NotOpen, "manager is still starting up");
    case "running":
      return phase.parts;
    case "failed":
      throw managerFailed(phase.error);
  }
}
