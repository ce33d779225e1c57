import type { Writable } from "node:stream";
import { StatusResponse } from "@multipooler/proto/manager-v1";
import type { ClientOptions } from "../cli.ts";
import { callTimeoutMs } from "./call-timeout.ts";
import { complaint } from "./complaint.ts";
import { Output, OutputClosed } from "./output.ts";
import { poolerClient } from "./pooler-connection.ts";
import { statusText } from "./status-text.ts";

/** `ctl status`: prints the state of a pooler. Resolves with the exit code. */
export async function status(
  options: ClientOptions & { readonly json: boolean },
  io: {
    readonly stdout: Writable;
    readonly stderr: Writable;
    readonly complain: (line: string) => void;
  },
): Promise<number> {
  const timeoutMs = callTimeoutMs(options.timeout);
  using client = poolerClient(options);
  try {
    const response = await client.status({ timeoutMs });
    const text = options.json
      ? `${JSON.stringify(StatusResponse.toJSON(response), undefined, 2)}\n`
      : statusText(response, new Date());
    await new Output(io.stdout).write(text);
    return 0;
  } catch (error) {
    if (error instanceof OutputClosed) {
      return 0;
    }
    complaint(error, options.address, io);
    return 1;
  }
}
