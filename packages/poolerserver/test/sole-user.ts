import type { Scheduler } from "../src/pool/scheduler.ts";
import type { SessionScheduler } from "../src/session/session-engine.ts";

/** The scheduler of a pool as that of all users, where there is only one. */
export function soleUser(scheduler: Scheduler): SessionScheduler {
  return {
    submit: (unit) => scheduler.submit(unit),
    withdraw: (unit) => scheduler.withdraw(unit),
    get parameters() {
      return scheduler.parameters;
    },
    parametersFor: () => scheduler.parameters,
  };
}
