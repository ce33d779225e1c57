import { ServingStatus, SetServingStatusResponse } from "@multipooler/proto/manager-v1";
import { jsonText } from "./output.ts";
import type { ClientOptions } from "./client-options.ts";
import { callPooler } from "./pooler-call.ts";
import type { CtlOutput } from "./pooler-call.ts";
import { servingText } from "./serving-text.ts";

export interface ServingOptions extends ClientOptions {
  /** Why, for status and log. */
  readonly reason: string;
  /** Whether to end only when the pooler is there. */
  readonly wait: boolean;
  readonly json: boolean;
}

/** `ctl drain`: lets the pooler go of its database until `ctl serve`. Resolves with the exit code. */
export function drain(options: ServingOptions, io: CtlOutput): Promise<number> {
  return wish(ServingStatus.SERVING_STATUS_DRAINED, options, io);
}

/** `ctl serve`: lets the pooler serve again. Resolves with the exit code. */
export function serveAgain(
  options: ServingOptions & { readonly readOnly: boolean },
  io: CtlOutput,
): Promise<number> {
  const { SERVING_STATUS_SERVING, SERVING_STATUS_SERVING_RDONLY } = ServingStatus;
  const status = options.readOnly ? SERVING_STATUS_SERVING_RDONLY : SERVING_STATUS_SERVING;
  return wish(status, options, io);
}

function wish(status: ServingStatus, options: ServingOptions, io: CtlOutput): Promise<number> {
  const { reason, wait, json } = options;
  return callPooler(options, io, async ({ client, request, output }) => {
    const response = await client.setServingStatus({ status, reason, wait }, request);
    const { intent, serving } = response;
    const text = (serving && servingText(serving, "")) ?? "";
    await output.write(json ? jsonText(SetServingStatusResponse.toJSON(response)) : `${text}\n`);
    if (intent?.remembered === false && !json) {
      io.complain(`a restart of the pooler forgets it: ${intent.notRememberedReason}`);
    }
  });
}
