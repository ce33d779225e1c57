import { PoolerType as RecordType } from "@multipooler/topo";
import { describe, expect, test } from "vitest";
import { ManagerError, ManagerErrorCode } from "../src/manager-error.ts";
import { PoolerType } from "../src/record/pooler-type.ts";
import { Component, NO_TERM } from "../src/terms/consensus-term.ts";
import { RoleSite, SYNCHRONOUS } from "./role-site.ts";
import { temporaryDir } from "./temporary-dir.ts";

const FORCE = "the test wants it";
const RECRUIT = 'an operator does that with "multipooler ctl term --set <number>"';
const OTHER = { component: Component.Multipooler, cell: "zone1", name: "b" } as const;

const BAD_REASON = "force must be a reason, one line of 1 to 1000 bytes";
const {
  FailedPrecondition: FAILED_PRECONDITION,
  InvalidArgument: INVALID_ARGUMENT,
  ProcessControlFailed: PROCESS_CONTROL_FAILED,
} = ManagerErrorCode;

/** A state in which a verb is refused. */
interface Case {
  /** What the pooler is; a standby is in term 1 unless `term` says otherwise. */
  readonly isStandby: boolean;
  readonly term?: bigint;
  /** What else is so. */
  readonly given?: (site: RoleSite) => Promise<void>;
  readonly call: (roles: RoleSite["roles"]) => Promise<unknown>;
  readonly code: ManagerErrorCode;
  /** The message, or what matches it. */
  readonly message: unknown;
}

async function becomes(site: RoleSite, type: RecordType, expected: PoolerType): Promise<void> {
  await site.fixture.setType(type);
  await site.fixture.until((status) => status.type === expected);
}

const LED_BY_OTHER =
  "zone1/b has led the shard in term 1: another pooler is promoted in a newer one " +
  '("multipooler ctl term --set 2", and "ctl promote")';

/** As another pooler has left it that was promoted in that term, and demoted again. */
async function ledBy({ fixture }: RoleSite, number: bigint): Promise<void> {
  const { primaries } = fixture.topology.global;
  const shard = { database: "postgres", tableGroup: "default", shard: "0-inf" };
  const state = { primary: undefined, cluster: undefined, term: { number, leader: OTHER } };
  await primaries.delete(shard).catch(() => undefined);
  await primaries.create(shard, state);
}

// oxlint-disable-next-line typescript/no-deprecated -- An older Multigres may have written it.
const DRAINED = RecordType.DRAINED;

/** Demoted, without anything else. */
async function demoted(site: RoleSite): Promise<void> {
  await site.roles.demote({ term: 1n });
}

async function withoutTopology({ fixture }: RoleSite): Promise<void> {
  fixture.servers.setReachable(false);
  await fixture.until(({ topology }) => topology.awaySince !== undefined);
}

/** Every way in which type, term and server may forbid a change of role. */
const REFUSALS: Readonly<Record<string, Case>> = {
  "promote a standby without a term": {
    isStandby: true,
    term: 0n,
    call: (roles) => roles.promote({}),
    code: FAILED_PRECONDITION,
    message: `consensus term not initialized, node must be recruited via SetTerm first: ${RECRUIT}`,
  },
  "promote a standby in an older term": {
    isStandby: true,
    term: 2n,
    call: (roles) => roles.promote({ term: 1n }),
    code: FAILED_PRECONDITION,
    message: "term mismatch: node not recruited for term 1 (current term is 2)",
  },
  "promote a standby in a newer term": {
    isStandby: true,
    call: (roles) => roles.promote({ term: 2n }),
    code: FAILED_PRECONDITION,
    message: "term mismatch: node not recruited for term 2 (current term is 1)",
  },
  "promote a standby in a term that another pooler leads": {
    isStandby: true,
    given: async ({ fixture }) => {
      await fixture.manager.consensus.setTerm({ ...NO_TERM, number: 1n, leader: OTHER });
    },
    call: (roles) => roles.promote({ term: 1n }),
    code: FAILED_PRECONDITION,
    message: "zone1/b leads term 1: another pooler is promoted in a newer one",
  },
  "promote a standby whose term's leader was left out when it was set once more": {
    isStandby: true,
    given: async ({ fixture }) => {
      const { consensus } = fixture.manager;
      await consensus.setTerm({ ...NO_TERM, number: 1n, leader: OTHER });
      await consensus.setTerm({ ...NO_TERM, number: 1n });
    },
    call: (roles) => roles.promote({ term: 1n }),
    code: FAILED_PRECONDITION,
    message: "zone1/b leads term 1: another pooler is promoted in a newer one",
  },
  "promote a standby that has voted for another pooler in the term": {
    isStandby: true,
    term: 2n,
    given: async ({ fixture }) => {
      await fixture.manager.consensus.beginTerm({ term: 2n, candidate: OTHER });
    },
    call: (roles) => roles.promote({ term: 2n }),
    code: FAILED_PRECONDITION,
    message: "zone1/b has this pooler's vote in term 2: another pooler is promoted in a newer one",
  },
  "promote a standby in a term that another pooler has claimed the shard in": {
    isStandby: true,
    given: (site) => ledBy(site, 1n),
    call: (roles) => roles.promote({ term: 1n }),
    code: FAILED_PRECONDITION,
    message: LED_BY_OTHER,
  },
  "explain the promotion of a standby in a term that another pooler has claimed the shard in": {
    isStandby: true,
    given: (site) => ledBy(site, 1n),
    call: (roles) => roles.promote({ term: 1n, explain: true }),
    code: FAILED_PRECONDITION,
    message: LED_BY_OTHER,
  },
  "promote a standby in an earlier term than that of the shard": {
    isStandby: true,
    given: (site) => ledBy(site, 7n),
    call: (roles) => roles.promote({ term: 1n }),
    code: FAILED_PRECONDITION,
    message:
      "zone1/b has led the shard in term 7: another pooler is promoted in a newer one " +
      '("multipooler ctl term --set 8", and "ctl promote")',
  },
  "promote a standby elsewhere than it is": {
    isStandby: true,
    call: (roles) => roles.promote({ term: 1n, expectedLsn: "0/1" }),
    code: FAILED_PRECONDITION,
    message:
      "LSN mismatch: expected 0/1, current 0/3000148. " +
      "The standby has replayed less or more than the caller knows",
  },
  "promote a drained pooler": {
    isStandby: true,
    given: (site) => becomes(site, DRAINED, PoolerType.Drained),
    call: (roles) => roles.promote({ term: 1n }),
    code: FAILED_PRECONDITION,
    message: "operation not allowed: pooler type is DRAINED, must be REPLICA (service_id: a)",
  },
  "promote a drained pooler by force": {
    isStandby: true,
    given: (site) => becomes(site, DRAINED, PoolerType.Drained),
    call: (roles) => roles.promote({ force: FORCE }),
    code: FAILED_PRECONDITION,
    message: "operation not allowed: pooler type is DRAINED, must be REPLICA (service_id: a)",
  },
  "promote a PRIMARY in front of a standby": {
    isStandby: false,
    given: async ({ replication }) => replication.become(true),
    call: (roles) => roles.promote({ term: 1n }),
    code: FAILED_PRECONDITION,
    message:
      "inconsistent state: topology is PRIMARY but PostgreSQL state doesn't match " +
      "(in recovery: true, synchronous replication as asked for: true)",
  },
  "promote a PRIMARY that waits for others": {
    isStandby: false,
    call: (roles) => roles.promote({ term: 1n, synchronous: SYNCHRONOUS }),
    code: FAILED_PRECONDITION,
    message:
      "inconsistent state: topology is PRIMARY but PostgreSQL state doesn't match " +
      "(in recovery: false, synchronous replication as asked for: false)",
  },
  "demote a primary without a term": {
    isStandby: false,
    term: 0n,
    call: (roles) => roles.demote({}),
    code: FAILED_PRECONDITION,
    message:
      "consensus term not initialized, must be explicitly set via SetTerm (use force=true to bypass): " +
      RECRUIT,
  },
  "demote a primary in an older term": {
    isStandby: false,
    term: 2n,
    call: (roles) => roles.demote({ term: 1n }),
    code: FAILED_PRECONDITION,
    message: "consensus term too old: request term 1 is less than current term 2",
  },
  "demote a standby again in an older term": {
    isStandby: true,
    term: 2n,
    call: (roles) => roles.demote({ term: 1n }),
    code: FAILED_PRECONDITION,
    message: "consensus term too old: request term 1 is less than current term 2",
  },
  "demote a drained pooler": {
    isStandby: false,
    given: (site) => becomes(site, DRAINED, PoolerType.Drained),
    call: (roles) => roles.demote({ term: 1n }),
    code: FAILED_PRECONDITION,
    message: "operation not allowed: pooler type is DRAINED, must be PRIMARY (service_id: a)",
  },
  "demote a REPLICA in front of a primary": {
    isStandby: false,
    given: (site) => becomes(site, RecordType.REPLICA, PoolerType.Replica),
    call: (roles) => roles.demote({ term: 1n }),
    code: FAILED_PRECONDITION,
    message: "operation not allowed: pooler type is REPLICA, must be PRIMARY (service_id: a)",
  },
  "demote a drained pooler in a newer term": {
    isStandby: false,
    given: (site) => becomes(site, DRAINED, PoolerType.Drained),
    call: (roles) => roles.demote({ term: 9n }),
    code: FAILED_PRECONDITION,
    message: "operation not allowed: pooler type is DRAINED, must be PRIMARY (service_id: a)",
  },
  "demote a primary in a newer term while the topology does not answer": {
    isStandby: false,
    given: withoutTopology,
    call: (roles) => roles.demote({ term: 9n }),
    code: FAILED_PRECONDITION,
    message: expect.stringMatching(/^the topology has not answered since /),
  },
  "explain a promotion while the topology does not answer": {
    isStandby: true,
    given: withoutTopology,
    call: (roles) => roles.promote({ term: 1n, explain: true }),
    code: FAILED_PRECONDITION,
    message: expect.stringMatching(/^the topology has not answered since /),
  },
  "undo the demotion of a pooler that never was demoted": {
    isStandby: true,
    call: (roles) => roles.undoDemote(),
    code: FAILED_PRECONDITION,
    message: "there is no demotion to undo",
  },
  "undo a demotion under an older term": {
    isStandby: false,
    given: async (site) => {
      await demoted(site);
      await site.fixture.manager.consensus.beginTerm({ term: 2n, candidate: OTHER });
    },
    call: (roles) => roles.undoDemote(),
    code: FAILED_PRECONDITION,
    message: "the demotion of term 1 cannot be undone: the current term is 2",
  },
  "undo a demotion in a term that another pooler is known to lead": {
    isStandby: false,
    given: async (site) => {
      await demoted(site);
      await site.roles.demote({ term: 2n });
      await site.fixture.manager.consensus.setTerm({ ...NO_TERM, number: 2n, leader: OTHER });
    },
    call: (roles) => roles.undoDemote(),
    code: FAILED_PRECONDITION,
    message:
      "the demotion cannot be undone: zone1/b leads term 2: another pooler is promoted in a newer one",
  },
  "undo a demotion in a term that another pooler has claimed the shard in": {
    isStandby: false,
    given: async (site) => {
      await demoted(site);
      await site.fixture.until(({ topology }) => topology.shardPrimary === undefined);
      await ledBy(site, 1n);
    },
    call: (roles) => roles.undoDemote(),
    code: FAILED_PRECONDITION,
    message: `the demotion cannot be undone: ${LED_BY_OTHER}`,
  },
  "explain the undoing of a demotion in a term that another pooler has claimed the shard in": {
    isStandby: false,
    given: async (site) => {
      await demoted(site);
      await site.fixture.until(({ topology }) => topology.shardPrimary === undefined);
      await ledBy(site, 1n);
    },
    call: (roles) => roles.undoDemote({ explain: true }),
    code: FAILED_PRECONDITION,
    message: `the demotion cannot be undone: ${LED_BY_OTHER}`,
  },
  "undo the demotion of a server that follows another one": {
    isStandby: false,
    given: async (site) => {
      await demoted(site);
      const { replication } = site.fixture.manager;
      await replication.setPrimaryConnInfo({ host: "db2", port: 5432 }, { term: 1n });
    },
    call: (roles) => roles.undoDemote(),
    code: FAILED_PRECONDITION,
    message: "the demotion cannot be undone: the server follows db2:5432 by now",
  },
  "promote with an empty reason to force it": {
    isStandby: true,
    call: (roles) => roles.promote({ term: 1n, force: " " }),
    code: INVALID_ARGUMENT,
    message: BAD_REASON,
  },
  "promote with an LSN that is none": {
    isStandby: true,
    call: (roles) => roles.promote({ term: 1n, expectedLsn: "0x1" }),
    code: INVALID_ARGUMENT,
    message: 'expected_lsn is "0x1"; it must be a WAL position such as 16/B374D848',
  },
  "demote with a reason of two lines to force it": {
    isStandby: false,
    call: (roles) => roles.demote({ force: "because\nof that" }),
    code: INVALID_ARGUMENT,
    message: BAD_REASON,
  },
  "demote with a drain of more than an hour": {
    isStandby: false,
    call: (roles) => roles.demote({ term: 1n, drainTimeoutMs: 3_600_001 }),
    code: INVALID_ARGUMENT,
    message: "drain_timeout is 3600001 ms; it must be 0 to 3600000",
  },
  "demote a primary whose process nobody can restart": {
    isStandby: false,
    given: async (site) => {
      site.lost = new ManagerError(ManagerErrorCode.ProcessControlFailed, "pgctld is away");
    },
    call: (roles) => roles.demote({ term: 9n }),
    code: PROCESS_CONTROL_FAILED,
    message: "pgctld is away",
  },
  "change the type to one that is none of a server": {
    isStandby: true,
    call: (roles) => roles.changeType(PoolerType.Drained),
    code: INVALID_ARGUMENT,
    message: "invalid pooler type: DRAINED, must be PRIMARY or REPLICA",
  },
};

describe("it is refused to", () => {
  test.each(Object.entries(REFUSALS))(
    "%s",
    async (_, { isStandby, term = 1n, given, call, code, message }) => {
      await using directory = await temporaryDir();
      await using site = await RoleSite.open(directory.path, { isStandby });
      await (term === 0n ? site.fixture.untilReady() : site.recruit(term));
      await given?.(site);
      await site.settled();
      const before = site.state;
      const { term: termBefore } = site.fixture.manager.status();
      site.replication.calls.length = 0;
      await expect(call(site.roles)).rejects.toMatchObject({ code, message });
      expect(site.replication.calls).toEqual([]);
      // A newer term would have taken the writes away.
      expect(site.fixture.manager.status().term).toEqual(termBefore);
      await site.settled();
      expect(site.state).toBe(before);
      site.fixture.servers.setReachable(true);
    },
  );
});
