import { durationMessage } from "./duration-message.ts";
import { writeSteps } from "./explanation.ts";
import { jsonText } from "./output.ts";
import { callPooler } from "./pooler-call.ts";
import type { CtlOutput } from "./pooler-call.ts";
import type { ChangeOptions } from "./replication-commands.ts";
import { waitSteps } from "./replication-steps.ts";

/** The pooler says more of a wait that ran out than the end of a call does. */
const ANSWER_GRACE_MS = 5_000;

/** `ctl wait-lsn`: ends when a standby has replayed a position. Resolves with the exit code. */
export function waitLsn(lsn: string, options: ChangeOptions, io: CtlOutput): Promise<number> {
  return callPooler(options, io, async (connection) => {
    const { client, output } = connection;
    if (options.explain) {
      await writeSteps(output, options, await waitSteps(lsn, connection));
      return;
    }
    const { timeoutMs } = connection.request;
    const timeout = timeoutMs === undefined ? undefined : durationMessage(timeoutMs);
    const call = timeoutMs === undefined ? {} : { timeoutMs: timeoutMs + ANSWER_GRACE_MS };
    await client.replication.waitForLSN({ targetLsn: lsn, timeout }, call);
    const text = `The standby has replayed ${lsn}.\n`;
    await output.write(options.json ? jsonText({ targetLsn: lsn }) : text);
  });
}
