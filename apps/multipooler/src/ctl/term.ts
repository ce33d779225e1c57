import { ID_ComponentType } from "@multipooler/proto/clustermetadata";
import { ConsensusStatusResponse, SetTermResponse } from "@multipooler/proto/consensus-v1";
import type { ConsensusTerm, WalPosition } from "@multipooler/proto/consensus-v1";
import { ConfigError } from "../settings/config.ts";
import { writeSteps } from "./explanation.ts";
import type { Step } from "./explanation.ts";
import { callPooler } from "./pooler-call.ts";
import type { CtlOutput } from "./pooler-call.ts";
import type { PoolerName } from "./pooler-name.ts";
import type { TermOptions } from "./promotion-commands.ts";
import { jsonText } from "./output.ts";
import { termText } from "./term-text.ts";

/** `ctl term`: prints or sets the term of a pooler. Resolves with the exit code. */
export function term(options: TermOptions, io: CtlOutput): Promise<number> {
  const { set, leader, json, explain } = options;
  if (set === undefined && (leader !== undefined || explain)) {
    throw new ConfigError([`${explain ? "--explain" : "--leader"} goes with --set`]);
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
      await writeSteps(output, options, [setStep(now, { set, leader })]);
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

/**
 * Throws where the pooler would refuse it: a term has one leader.
 *
 * | the term is             | `--leader` | who leads it                            |
 * | ----------------------- | ---------- | --------------------------------------- |
 * | the current one         | left out   | who did                                 |
 * | the first of the pooler | left out   | a primary itself, of a standby nobody   |
 * | another one             | left out   | nobody                                  |
 * | each                    | given      | that one                                |
 */
function setStep(
  now: ConsensusTerm | undefined,
  { set, leader }: { readonly set: bigint; readonly leader: PoolerName | undefined },
): Step {
  const known = now?.leaderId;
  const named = leader && `${leader.cell}/${leader.name}`;
  const isKnown = known !== undefined && named === `${known.cell}/${known.name}`;
  const isSame = now?.termNumber === set;
  if (isSame && known !== undefined && named !== undefined && !isKnown) {
    throw new Error(`${known.cell}/${known.name} leads term ${set} already`);
  }
  const unnamed =
    (now?.termNumber ?? 0n) === 0n ? "which a primary leads itself" : "which nobody leads";
  const by = named === undefined ? unnamed : `led by ${named}`;
  return {
    name: "set term",
    explanation: isSame
      ? `leave the term at ${termText(now)}${named === undefined || isKnown ? "" : `, ${by} from now on`}`
      : `set the term to ${set}, ${by}, in place of ${termText(now)}`,
    needed: !isSame || (named !== undefined && !isKnown),
  };
}

function walText(wal: WalPosition | undefined): string {
  if (wal === undefined) {
    return "PostgreSQL does not answer";
  }
  return wal.inRecovery
    ? `standby: replayed ${wal.lastReplayLsn || "nothing"}, received ${wal.lastReceiveLsn || "nothing"}`
    : `primary: written ${wal.currentLsn}`;
}
