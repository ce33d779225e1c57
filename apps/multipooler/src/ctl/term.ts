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

interface Setting {
  readonly set: bigint;
  readonly leader: PoolerName | undefined;
  readonly force: string;
}

/**
 * Throws where the pooler would refuse it: a term has one leader, and only a reason leads to a lower one.
 *
 * | the term is             | `--leader` | who leads it                            |
 * | ----------------------- | ---------- | --------------------------------------- |
 * | the current one         | left out   | who did; nobody by force                |
 * | the first of the pooler | left out   | a primary itself, of a standby nobody   |
 * | another one             | left out   | nobody                                  |
 * | each                    | given      | that one                                |
 */
function setStep(now: ConsensusTerm | undefined, setting: Setting): Step {
  const { set, force } = setting;
  const current = now?.termNumber ?? 0n;
  if (force === "") {
    if (set < current) {
      throw new Error(`term ${current} is known: a lower one needs --force and a reason`);
    }
    return raisingStep(now, setting);
  }
  const by = leaderWords(current, setting);
  return {
    name: "set term",
    explanation: `set the term to ${set}, ${by}, and forget ${termText(now)}`,
    needed: true,
  };
}

function raisingStep(now: ConsensusTerm | undefined, setting: Setting): Step {
  const { set, leader } = setting;
  const known = now?.leaderId;
  const named = leader && `${leader.cell}/${leader.name}`;
  const isKnown = known !== undefined && named === `${known.cell}/${known.name}`;
  const isSame = now?.termNumber === set;
  if (isSame && known !== undefined && named !== undefined && !isKnown) {
    throw new Error(`${known.cell}/${known.name} leads term ${set} already`);
  }
  const by = leaderWords(now?.termNumber ?? 0n, setting);
  return {
    name: "set term",
    explanation: isSame
      ? `leave the term at ${termText(now)}${named === undefined || isKnown ? "" : `, ${by} from now on`}`
      : `set the term to ${set}, ${by}, in place of ${termText(now)}`,
    needed: !isSame || (named !== undefined && !isKnown),
  };
}

function leaderWords(current: bigint, { leader }: Setting): string {
  if (leader !== undefined) {
    return `led by ${leader.cell}/${leader.name}`;
  }
  return current === 0n ? "which a primary leads itself" : "which nobody leads";
}

function walText(wal: WalPosition | undefined): string {
  if (wal === undefined) {
    return "PostgreSQL does not answer";
  }
  return wal.inRecovery
    ? `standby: replayed ${wal.lastReplayLsn || "nothing"}, received ${wal.lastReceiveLsn || "nothing"}`
    : `primary: written ${wal.currentLsn}`;
}
