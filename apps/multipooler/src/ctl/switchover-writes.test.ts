import { ConsensusStatusResponse } from "@multipooler/proto/consensus-v1";
import { PoolerType, StatusResponse } from "@multipooler/proto/manager-v1";
import { expect, test } from "vitest";
import { checkLastWrites } from "./switchover-writes.ts";

const { POOLER_TYPE_PRIMARY: PRIMARY, POOLER_TYPE_REPLICA: REPLICA } = PoolerType;

interface Case {
  /** Where the former primary was demoted. */
  readonly end?: string;
  readonly type?: PoolerType;
  /** Of the standby: received, replayed. */
  readonly standby?: readonly [string, string];
  readonly follower?: readonly [string, string];
  readonly isPromoted?: boolean;
  readonly refusal?: string;
}

const beyond = (flag: string, lsn: string): string =>
  `the pooler at ${flag} has WAL up to ${lsn}, and the one at --from a:1 had written up to 0/3000148 when it ` +
  "was demoted: another primary has taken writes since";

const CASES: Readonly<Record<string, Case>> = {
  "all of the last primary's": { standby: ["0/3000148", "0/3000148"] },
  "less than that": { standby: ["0/3000000", "0/2FFFFFF"] },
  "nothing received since its start": { standby: ["", "0/3000148"] },
  "more received": {
    standby: ["0/3000150", "0/3000148"],
    refusal: beyond("--to b:1", "0/3000150"),
  },
  "more replayed": { standby: ["", "1/0"], refusal: beyond("--to b:1", "1/0") },
  "more at a follower": {
    follower: ["0/3000150", "0/3000150"],
    refusal: beyond("--follower c:1", "0/3000150"),
  },
  "more, of a primary that runs": { type: PRIMARY, standby: ["0/4000000", "0/4000000"] },
  "more, of its own": { isPromoted: true, standby: ["0/4000000", "0/4000000"] },
  "more than an end that is not known yet": { end: "", standby: ["0/4000000", "0/4000000"] },
};

test.each(Object.entries(CASES))("a standby that has %s", (_, case_) => {
  const { end = "0/3000148", type = REPLICA, standby, follower, isPromoted = false } = case_;
  const facts = {
    primary: StatusResponse.fromPartial({
      poolerType: type,
      demotion: { consensusTerm: 1n, lsnPosition: end },
    }),
    standby: StatusResponse.fromPartial({ database: { inRecovery: !isPromoted } }),
  };
  const wal = { standby: reportOf(standby), followers: [reportOf(follower)] };
  const options = { from: "a:1", to: "b:1", follower: ["c:1"] };
  const check = (): void => checkLastWrites(facts, wal, options);
  if (case_.refusal === undefined) {
    expect(check).not.toThrow();
  } else {
    expect(check).toThrow(case_.refusal);
  }
});

function reportOf(
  [lastReceiveLsn, lastReplayLsn]: readonly [string, string] = ["", ""],
): ConsensusStatusResponse {
  return ConsensusStatusResponse.fromPartial({ walPosition: { lastReceiveLsn, lastReplayLsn } });
}
