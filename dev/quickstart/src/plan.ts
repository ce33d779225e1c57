import type { Ports } from "./options.ts";
import type { Readiness } from "./probe.ts";
import type { State } from "./state.ts";

/** The state that an earlier `npm start` wrote down, and how much of it still runs. */
export interface Sighting {
  readonly state: State;
  /** What the pooler answers; undefined when it does not run any more. */
  readonly pooler: Readiness | undefined;
  /** Something listens on PostgreSQL's port. The pooler may not have noticed yet whether it does. */
  readonly postgresListens: boolean;
  /** The `npm start` that stops the pooler when it is stopped itself still runs. */
  readonly ownerLives: boolean;
}

/**
 * What `npm start` does. `takeOver`: nobody else is left to stop what runs already. The ports of a pooler
 * that runs win over those asked for.
 */
export type Plan =
  | { readonly kind: "start-all"; readonly ports: Ports; readonly takeOver: boolean }
  /** The pooler has lost its PostgreSQL, or the `npm start` that would stop it. */
  | {
      readonly kind: "complete";
      readonly state: State;
      readonly postgresListens: boolean;
      readonly takeOver: boolean;
    }
  | { readonly kind: "nothing"; readonly state: State; readonly pooler: Readiness };

/** Decides from what was seen; undefined means that nothing was written down. */
export function decide(sighting: Sighting | undefined, wanted: Ports): Plan {
  const takeOver = sighting?.ownerLives !== true;
  if (sighting?.pooler === undefined) {
    return { kind: "start-all", ports: wanted, takeOver };
  }
  const { state, pooler, postgresListens } = sighting;
  if (postgresListens && !takeOver) {
    return { kind: "nothing", state, pooler };
  }
  return { kind: "complete", state, postgresListens, takeOver };
}
