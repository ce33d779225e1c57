import { ID_ComponentType } from "@multipooler/proto/clustermetadata";
import { ConsensusStatusResponse, SetTermResponse } from "@multipooler/proto/consensus-v1";
import type { WalPosition } from "@multipooler/proto/consensus-v1";
import { ConfigError } from "../settings/config.ts";
import { writeSteps } from "./explanation.ts";
import { callPooler } from "./pooler-call.ts";
import type { CtlOutput } from "./pooler-call.ts";
import type { TermOptions } from "./promotion-commands.ts";
import { jsonText } from "./output.ts";
import { setStep } from "./term-step.ts";
import { termText } from "./term-text.ts";

/** `ctl term`: prints or sets the term of a pooler. Resolves with the exit code. */
export function term(options: TermOptions, io: CtlOutput): Promise<number> {
  const { set, leader, force, json, explain } = options;
  if (set === undefined) {
    checkNoSetting(options);
  }
  return callPooler(options, io, async ({ client, request, output }) => {
    if (set === undefined) {
      const [response, { topology }] = await Promise.all([
        client.consensus.status(request),
        client.status(request),
      ]);
      const { walPosition } = response;
      await output.write(
        json
          ? jsonText(ConsensusStatusResponse.toJSON(response))
          : `term ${termText(response.term, topology?.shardPrimary)}\n${walText(walPosition)}\n`,
      );
      return;
    }
    if (explain) {
      const { term: now } = await client.consensus.status(request);
      await writeSteps(output, options, [setStep(now, { set, leader, force })]);
      return;
    }
    const leaderId = leader && { component: ID_ComponentType.MULTIPOOLER, ...leader };
    const response = await client.consensus.setTerm(
      { term: { termNumber: set, leaderId }, forceReason: force },
      request,
    );
    await output.write(
      json ? jsonText(SetTermResponse.toJSON(response)) : `term ${termText(response.term)}\n`,
    );
  });
}

/** What says how a term is set says nothing where none is. */
function checkNoSetting({ leader, force, explain }: TermOptions): void {
  const given = [
    ...(explain ? ["--explain"] : []),
    ...(leader === undefined ? [] : ["--leader"]),
    ...(force === "" ? [] : ["--force"]),
  ];
  if (given.length > 0) {
    throw new ConfigError(given.map((flag) => `${flag} goes with --set`));
  }
}

function walText(wal: WalPosition | undefined): string {
  if (wal === undefined) {
    return "PostgreSQL does not answer";
  }
  return wal.inRecovery
    ? `standby: replayed ${wal.lastReplayLsn || "nothing"}, received ${wal.lastReceiveLsn || "nothing"}`
    : `primary: written ${wal.currentLsn}`;
}
