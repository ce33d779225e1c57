import { GrpcStatusError } from "@multipooler/grpc-services/client";
import type { PoolerClient, StreamExecuteInput } from "@multipooler/grpc-services/client";

type Streamed = Awaited<ReturnType<PoolerClient["concludeTransaction"]>>;
type State = NonNullable<Streamed["reservedState"]>;

/** What one stream carried, in its order. */
export interface StreamedAnswer {
  /** Tags of results, "diagnostic" and "state". */
  readonly messages: readonly string[];
  readonly state: State | undefined;
  readonly error: GrpcStatusError | undefined;
}

/** Runs a statement as a gateway does: what stays reserved is the last thing that it is told. */
export async function streamed(
  client: PoolerClient,
  request: StreamExecuteInput,
): Promise<StreamedAnswer> {
  const messages: string[] = [];
  let state: State | undefined;
  let error: GrpcStatusError | undefined;
  try {
    for await (const { result, reservedState } of client.streamExecute(request)) {
      const payload = result?.payload;
      if (payload?.$case === "result") {
        messages.push(payload.value.commandTag);
      } else if (payload !== undefined) {
        messages.push(payload.$case);
      }
      if (reservedState !== undefined) {
        messages.push("state");
        state = reservedState;
      }
    }
  } catch (thrown) {
    if (!(thrown instanceof GrpcStatusError)) {
      throw thrown;
    }
    error = thrown;
  }
  return { messages, state, error };
}
