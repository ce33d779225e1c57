import type { ServingTarget } from "@multipooler/controller-api";
import type { CallOptions } from "@multipooler/query-service";

/** The single steps of a transition. Each may be repeated, and ends soon after an abort. */
export interface ServingSteps {
  /** The target that the controller has reached. */
  current(): ServingTarget;
  /** Makes everything ready for a target that admits queries. */
  prepare(target: ServingTarget, options: CallOptions): Promise<void>;
  /** Tells the topology the role that is about to be taken, and waits until it is written. */
  claim(target: ServingTarget, options: CallOptions): Promise<void>;
  /** Brings the controller to a target, drain included. What it drains from reverses the drain. */
  setServingType(target: ServingTarget, options: CallOptions): Promise<void>;
  /** Ends what only a serving pooler does. Where `next` admits no query, the server is let go. */
  retire(next: ServingTarget, options: CallOptions): Promise<void>;
  /** Tells topology and watchers what holds now. Does not wait. */
  announce(announcement: ServingAnnouncement): void;
}

/** What the topology learns: `draining` from the moment that a target is being left. */
export interface ServingAnnouncement {
  readonly target: ServingTarget;
  readonly draining: boolean;
}
