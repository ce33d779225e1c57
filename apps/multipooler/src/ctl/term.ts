import { ID_ComponentType } from "@multipooler/proto/clustermetadata";
import { ConsensusStatusResponse, SetTermResponse } from "@multipooler/proto/consensus-v1";
import type { WalPosition } from "@multipooler/proto/consensus-v1";
import { ConfigError } from "../settings/config.ts";
import { callPooler } from "./pooler-call.ts";
import type { CtlOutput } from "./pooler-call.ts";
import type { TermOptions } from "./promotion-commands.ts";
import { jsonText } from "./output.ts";
import { termText } from "./term-text.ts";

/** `ctl term`: prints or sets the term of a pooler. Resolves with the exit code. */
export function term(options: TermOptions, io: CtlOutput): Promise<number> {
  const { set, leader, json } = options;
  if (set === undefined && leader !== undefined) {
    throw new ConfigError(["--leader goes with --set"]);
  }
  return callPooler(options, io, async ({ client, request, output }) => {
    if (set === undefined) {
      const response = await client.consensus.status(request);
      const { walPosition } = response;
      await output.write(
        json
          ? jsonText(ConsensusStatusResponse.toJSON(response))
          : `term ${termText(response.term)}\n${walText(walPosition)}\n`,
      );
      return;
    }
    const leaderId = leader && { component: ID_ComponentType.MULTIPOOLER, ...leader };
    const response = await client.consensus.setTerm(
      { term: { termNumber: set, leaderId } },
      request,
    );
    await output.write(
      json ? jsonText(SetTermResponse.toJSON(response)) : `term ${termText(response.term)}\n`,
    );
  });
}

function walText(wal: WalPosition | undefined): string {
  if (wal === undefined) {
    return "PostgreSQL does not answer";
  }
  return wal.inRecovery
    ? `standby: replayed ${wal.lastReplayLsn || "nothing"}, received ${wal.lastReceiveLsn || "nothing"}`
    : `primary: written ${wal.currentLsn}`;
}
