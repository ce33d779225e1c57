import type { Writable } from "node:stream";
import { ServingStatus, SetServingStatusResponse } from "@multipooler/proto/manager-v1";
import type { ClientOptions } from "../cli.ts";
import { callTimeoutMs } from "./call-timeout.ts";
import { complaint } from "./complaint.ts";
import { Output, OutputClosed } from "./output.ts";
import { poolerClient } from "./pooler-connection.ts";
import { servingText } from "./serving-text.ts";

export interface ServingOptions extends ClientOptions {
  /** Why, for status and log. */
  readonly reason: string;
  /** Whether to end only when the pooler is there. */
  readonly wait: boolean;
  readonly json: boolean;
}

interface ServingIo {
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly complain: (line: string) => void;
}

/** `ctl drain`: lets the pooler go of its database until `ctl serve`. Resolves with the exit code. */
export function drain(options: ServingOptions, io: ServingIo): Promise<number> {
  return wish(ServingStatus.SERVING_STATUS_DRAINED, options, io);
}

/** `ctl serve`: lets the pooler serve again. Resolves with the exit code. */
export function serveAgain(
  options: ServingOptions & { readonly readOnly: boolean },
  io: ServingIo,
): Promise<number> {
  const { SERVING_STATUS_SERVING, SERVING_STATUS_SERVING_RDONLY } = ServingStatus;
  const status = options.readOnly ? SERVING_STATUS_SERVING_RDONLY : SERVING_STATUS_SERVING;
  return wish(status, options, io);
}

async function wish(
  status: ServingStatus,
  options: ServingOptions,
  io: ServingIo,
): Promise<number> {
  const { reason, wait, json } = options;
  const timeoutMs = callTimeoutMs(options.timeout);
  using client = poolerClient(options);
  try {
    const response = await client.setServingStatus({ status, reason, wait }, { timeoutMs });
    const { intent, serving } = response;
    const text = json
      ? JSON.stringify(SetServingStatusResponse.toJSON(response), undefined, 2)
      : serving && servingText(serving, "");
    await new Output(io.stdout).write(`${text ?? ""}\n`);
    if (intent?.remembered === false && !json) {
      io.complain(`a restart of the pooler forgets it: ${intent.notRememberedReason}`);
    }
    return 0;
  } catch (error) {
    if (error instanceof OutputClosed) {
      return 0;
    }
    complaint(error, options.address, io);
    return 1;
  }
}
