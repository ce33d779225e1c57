import { StatusResponse } from "@multipooler/proto/manager-v1";
import type { ManagerHealthStreamInput } from "@multipooler/grpc-services/client";
import type { Interruption } from "../interruption.ts";
import { passingFault } from "./call-fault.ts";
import type { ClientOptions } from "./client-options.ts";
import { durationMessage } from "./duration-message.ts";
import { jsonText } from "./output.ts";
import { callPooler } from "./pooler-call.ts";
import type { CtlOutput, PoolerCall } from "./pooler-call.ts";
import { statusText } from "./status-text.ts";
import { watch, watchIntervalMs } from "./watching.ts";

export interface StatusOptions extends ClientOptions {
  readonly json: boolean;
  /** Whether to go on with each change, until Ctrl-C. */
  readonly watch: boolean;
  /** A duration as text. */
  readonly interval: string;
}

/** `ctl status`: prints the state of a pooler, with `--watch` each. Resolves with the exit code. */
export function status(
  options: StatusOptions,
  io: CtlOutput,
  { signal }: Pick<Interruption, "signal">,
): Promise<number> {
  const { json, address } = options;
  const intervalMs = watchIntervalMs(options.interval);
  return callPooler(options, io, async (call) => {
    const { client, request, output } = call;
    if (!options.watch) {
      const response = await client.status(request);
      await output.write(
        json ? jsonText(StatusResponse.toJSON(response)) : statusText(response, new Date()),
      );
      return;
    }
    const isTerminal = io.stdout.isTTY === true && !json;
    const faultOf = (error: unknown): string | undefined => passingFault(error, address);
    await watch({ intervalMs, signal, output, isTerminal, faultOf }, async function* views() {
      for await (const response of changes(call, { intervalMs, signal })) {
        // A line for each where there are several.
        yield json
          ? jsonText(StatusResponse.toJSON(response), { indent: 0 })
          : `${statusText(response, new Date())}${isTerminal ? "" : "\n"}`;
      }
    });
  });
}

/** What the pooler tells of itself, until it shuts down. */
async function* changes(
  { client, request }: PoolerCall,
  { intervalMs, signal }: { readonly intervalMs: number; readonly signal: AbortSignal },
): AsyncGenerator<StatusResponse, void, void> {
  const stream = client.managerHealthStream(startOf(intervalMs), { ...request, signal });
  for await (const { message } of stream) {
    if (message?.$case === "snapshot" && message.value.status !== undefined) {
      yield message.value.status;
    }
  }
}

async function* startOf(intervalMs: number): AsyncGenerator<ManagerHealthStreamInput, void, void> {
  const value = { snapshotInterval: durationMessage(intervalMs) };
  yield { message: { $case: "start", value } };
}
