import type { ConsensusStatusResponse } from "@multipooler/proto/consensus-v1";
import { PoolerType } from "@multipooler/proto/manager-v1";
import { parseLsn } from "@multipooler/topo";
import type { SwitchoverOptions } from "./promotion-commands.ts";
import type { SwitchoverFacts } from "./switchover-facts.ts";

/** What the others say of their WAL. */
export interface OthersWal {
  readonly standby: ConsensusStatusResponse;
  readonly followers: readonly ConsensusStatusResponse[];
}

/**
 * Throws where a standby has more than the former primary had written when it was demoted. Terms do not tell
 * that where several poolers were promoted and demoted by hand in one term; WAL does: what is beyond the end of
 * one primary was written by the next one.
 */
export function checkLastWrites(
  { primary, standby }: Pick<SwitchoverFacts, "primary" | "standby">,
  wal: OthersWal,
  { from, to, follower }: Pick<SwitchoverOptions, "from" | "to" | "follower">,
): void {
  const end = primary.demotion?.lsnPosition ?? "";
  // A primary that is one by now, or almost, writes on.
  const isBefore =
    primary.poolerType === PoolerType.POOLER_TYPE_REPLICA && standby.database?.inRecovery === true;
  if (end === "" || !isBefore) {
    return;
  }
  const others = [
    { flag: `--to ${to}`, report: wal.standby },
    ...wal.followers.map((report, i) => ({ flag: `--follower ${follower[i]}`, report })),
  ];
  for (const { flag, report } of others) {
    const { lastReceiveLsn = "", lastReplayLsn = "" } = report.walPosition ?? {};
    const beyond = [lastReceiveLsn, lastReplayLsn].find((lsn) => lsnOf(lsn) > lsnOf(end));
    if (beyond !== undefined) {
      throw new Error(
        `the pooler at ${flag} has WAL up to ${beyond}, and the one at --from ${from} had written up to ${end} ` +
          "when it was demoted: another primary has taken writes since",
      );
    }
  }
}

/** 0 where there is none. */
function lsnOf(text: string): bigint {
  return text === "" ? 0n : parseLsn(text);
}
