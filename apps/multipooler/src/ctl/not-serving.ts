import type { NotServing } from "@multipooler/proto/promotion-v1";
import type { CtlOutput } from "./pooler-call.ts";

/** The exit code of a change of role that is done, after which the pooler does not serve. */
const NOT_SERVING_EXIT = 3;

/** Says why a pooler does not serve after a change of its role. Returns the exit code. */
export function tellNotServing(
  notServing: NotServing | undefined,
  io: Pick<CtlOutput, "complain">,
): number {
  if (notServing === undefined) {
    return 0;
  }
  const { code, reason } = notServing;
  io.complain(`the role is changed, but the pooler does not serve: ${reason} (${code})`);
  return NOT_SERVING_EXIT;
}
