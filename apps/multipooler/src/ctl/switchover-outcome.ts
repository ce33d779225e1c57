import { hostAndPort } from "@multipooler/manager";
import type { NotServing } from "@multipooler/proto/promotion-v1";
import type { SwitchoverPlan } from "./switchover-plan.ts";

/** What a switchover has come to. */
export interface SwitchoverOutcome {
  /** The addresses of the poolers. */
  readonly from: string;
  readonly to: string;
  readonly plan: Pick<SwitchoverPlan, "term" | "postgres" | "isPromoted">;
  /** How long nobody took writes; `undefined` where an earlier one has begun. */
  readonly gapMs: number | undefined;
  readonly notServing: NotServing | undefined;
}

/** Says who is the primary now, and for how long nobody was. */
export function outcomeText({ from, to, plan, gapMs, notServing }: SwitchoverOutcome): string {
  const { term, postgres, isPromoted } = plan;
  const is = notServing === undefined ? "is the primary" : "is promoted";
  const isNow = isPromoted ? `${is} already` : is;
  // Of one that was begun earlier nobody knows since when, and of one that does not serve, until when.
  const gap =
    gapMs === undefined || notServing !== undefined ? "" : ` No writes were taken for ${gapMs} ms.`;
  return (
    `${to} ${isNow} in term ${term}, and ${from} follows it at ` +
    `${hostAndPort(postgres.host, postgres.port)}.${gap}\n`
  );
}
