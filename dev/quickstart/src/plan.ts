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

/** What `npm start` does. The ports of a pooler that runs win over those asked for. */
export type Plan =
  | { readonly kind: "start-all"; readonly ports: Ports }
  /** PostgreSQL died under a pooler that runs. `adopt`: nobody else is left to stop that pooler. */
  | { readonly kind: "start-postgres"; readonly state: State; readonly adopt: boolean }
  | { readonly kind: "nothing"; readonly state: State; readonly pooler: Readiness };

/** Decides from what was seen; undefined means that nothing was written down. */
export function decide(sighting: Sighting | undefined, wanted: Ports): Plan {
  if (sighting?.pooler === undefined) {
    return { kind: "start-all", ports: wanted };
  }
  const { state, pooler, postgresListens, ownerLives } = sighting;
  if (postgresListens) {
    return { kind: "nothing", state, pooler };
  }
  return { kind: "start-postgres", state, adopt: !ownerLives };
}
