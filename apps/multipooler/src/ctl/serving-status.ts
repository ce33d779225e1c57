import {
  ServingStatus,
  SetServingStatusResponse,
  poolerTypeToJSON,
  servingStatusToJSON,
} from "@multipooler/proto/manager-v1";
import type { StatusResponse } from "@multipooler/proto/manager-v1";
import { writeSteps } from "./explanation.ts";
import type { ExplainOptions, Step } from "./explanation.ts";
import { jsonText } from "./output.ts";
import type { ClientOptions } from "./client-options.ts";
import { callPooler } from "./pooler-call.ts";
import type { CtlOutput } from "./pooler-call.ts";
import { servingText } from "./serving-text.ts";
import { word } from "./status-words.ts";

export interface ServingOptions extends ClientOptions, ExplainOptions {
  /** Why, for status and log. */
  readonly reason: string;
  /** Whether to end only when the pooler is there. */
  readonly wait: boolean;
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
    if (options.explain) {
      await writeSteps(output, options, wishSteps(status, await client.status(request)));
      return;
    }
    const response = await client.setServingStatus({ status, reason, wait }, request);
    const { intent, serving } = response;
    const text = (serving && servingText(serving, "")) ?? "";
    await output.write(json ? jsonText(SetServingStatusResponse.toJSON(response)) : `${text}\n`);
    if (intent?.remembered === false && !json) {
      io.complain(`a restart of the pooler forgets it: ${intent.notRememberedReason}`);
    }
  });
}

/** What a wish would lead to. */
function wishSteps(
  status: ServingStatus,
  { intent, serving, poolerType }: StatusResponse,
): readonly Step[] {
  const { SERVING_STATUS_DRAINED, SERVING_STATUS_NOT_SERVING } = ServingStatus;
  const name = word(servingStatusToJSON(status), "SERVING_STATUS_");
  const noted: Step = {
    name: "note the wish",
    explanation: `serve no more than ${name}, over restarts of the pooler too where it has a directory`,
    needed: intent?.status !== status,
  };
  const current = serving?.current ?? SERVING_STATUS_NOT_SERVING;
  if (status !== SERVING_STATUS_DRAINED) {
    const type = word(poolerTypeToJSON(poolerType), "POOLER_TYPE_").replace(
      "UNSPECIFIED",
      "UNKNOWN",
    );
    const explanation = `serve what the type ${type}, PostgreSQL and the wish allow`;
    return [noted, { name: "serve", explanation, needed: current !== status }];
  }
  const needed = current !== SERVING_STATUS_DRAINED && current !== SERVING_STATUS_NOT_SERVING;
  return [
    noted,
    { name: "drain", explanation: "admit nothing new, and let what runs end", needed },
    { name: "let go", explanation: "close all connections to PostgreSQL", needed },
  ];
}
