import { StatusResponse } from "@multipooler/proto/manager-v1";
import { jsonText } from "./output.ts";
import type { ClientOptions } from "./client-options.ts";
import { callPooler } from "./pooler-call.ts";
import type { CtlOutput } from "./pooler-call.ts";
import { statusText } from "./status-text.ts";

/** `ctl status`: prints the state of a pooler. Resolves with the exit code. */
export function status(
  options: ClientOptions & { readonly json: boolean },
  io: CtlOutput,
): Promise<number> {
  return callPooler(options, io, async ({ client, request, output }) => {
    const response = await client.status(request);
    await output.write(
      options.json ? jsonText(StatusResponse.toJSON(response)) : statusText(response, new Date()),
    );
  });
}
