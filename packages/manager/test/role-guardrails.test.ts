import { ServingStatus } from "@multipooler/controller-api";
import { PoolerType as RecordType } from "@multipooler/topo";
import { MemoryTopology } from "@multipooler/topo/memory";
import { describe, expect, test } from "vitest";
import { PoolerType } from "../src/record/pooler-type.ts";
import { Component, NO_TERM } from "../src/terms/consensus-term.ts";
import { RoleSite, SYNCHRONOUS } from "./role-site.ts";
import { temporaryDir } from "./temporary-dir.ts";

const FORCE = "the test wants it";
const RECRUIT = 'an operator does that with "multipooler ctl term --set <number>"';
const OTHER = { component: Component.Multipooler, cell: "zone1", name: "b" } as const;

/** A state in which a verb is refused. */
interface Case {
  /** What the pooler is; a standby is in term 1 unless `term` says otherwise. */
  readonly isStandby: boolean;
  readonly term?: bigint;
  /** What else is so. */
  readonly given?: (site: RoleSite) => Promise<void>;
  readonly call: (roles: RoleSite["roles"]) => Promise<unknown>;
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
    message: `consensus term not initialized, node must be recruited via SetTerm first: ${RECRUIT}`,
  },
  "promote a standby in an older term": {
    isStandby: true,
    term: 2n,
    call: (roles) => roles.promote({ term: 1n }),
    message: "term mismatch: node not recruited for term 1 (current term is 2)",
  },
  "promote a standby in a newer term": {
    isStandby: true,
    call: (roles) => roles.promote({ term: 2n }),
    message: "term mismatch: node not recruited for term 2 (current term is 1)",
  },
  "promote a standby in a term that another pooler leads": {
    isStandby: true,
    given: async ({ fixture }) => {
      await fixture.manager.consensus.setTerm({ ...NO_TERM, number: 1n, leader: OTHER });
    },
    call: (roles) => roles.promote({ term: 1n }),
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
    message: "zone1/b leads term 1: another pooler is promoted in a newer one",
  },
  "promote a standby that has voted for another pooler in the term": {
    isStandby: true,
    term: 2n,
    given: async ({ fixture }) => {
      await fixture.manager.consensus.beginTerm({ term: 2n, candidate: OTHER });
    },
    call: (roles) => roles.promote({ term: 2n }),
    message: "zone1/b has this pooler's vote in term 2: another pooler is promoted in a newer one",
  },
  "promote a standby in a term that another pooler has claimed the shard in": {
    isStandby: true,
    given: (site) => ledBy(site, 1n),
    call: (roles) => roles.promote({ term: 1n }),
    message: LED_BY_OTHER,
  },
  "explain the promotion of a standby in a term that another pooler has claimed the shard in": {
    isStandby: true,
    given: (site) => ledBy(site, 1n),
    call: (roles) => roles.promote({ term: 1n, explain: true }),
    message: LED_BY_OTHER,
  },
  "promote a standby in an earlier term than that of the shard": {
    isStandby: true,
    given: (site) => ledBy(site, 7n),
    call: (roles) => roles.promote({ term: 1n }),
    message:
      "zone1/b has led the shard in term 7: another pooler is promoted in a newer one " +
      '("multipooler ctl term --set 8", and "ctl promote")',
  },
  "promote a standby elsewhere than it is": {
    isStandby: true,
    call: (roles) => roles.promote({ term: 1n, expectedLsn: "0/1" }),
    message:
      "LSN mismatch: expected 0/1, current 0/3000148. " +
      "The standby has replayed less or more than the caller knows",
  },
  "promote a drained pooler": {
    isStandby: true,
    given: (site) => becomes(site, DRAINED, PoolerType.Drained),
    call: (roles) => roles.promote({ term: 1n }),
    message: "operation not allowed: pooler type is DRAINED, must be REPLICA (service_id: a)",
  },
  "promote a drained pooler by force": {
    isStandby: true,
    given: (site) => becomes(site, DRAINED, PoolerType.Drained),
    call: (roles) => roles.promote({ force: FORCE }),
    message: "operation not allowed: pooler type is DRAINED, must be REPLICA (service_id: a)",
  },
  "promote a PRIMARY in front of a standby": {
    isStandby: false,
    given: async ({ replication }) => replication.become(true),
    call: (roles) => roles.promote({ term: 1n }),
    message:
      "inconsistent state: topology is PRIMARY but PostgreSQL state doesn't match " +
      "(in recovery: true, synchronous replication as asked for: true)",
  },
  "promote a PRIMARY that waits for others": {
    isStandby: false,
    call: (roles) => roles.promote({ term: 1n, synchronous: SYNCHRONOUS }),
    message:
      "inconsistent state: topology is PRIMARY but PostgreSQL state doesn't match " +
      "(in recovery: false, synchronous replication as asked for: false)",
  },
  "demote a primary without a term": {
    isStandby: false,
    term: 0n,
    call: (roles) => roles.demote({}),
    message:
      "consensus term not initialized, must be explicitly set via SetTerm (use force=true to bypass): " +
      RECRUIT,
  },
  "demote a primary in an older term": {
    isStandby: false,
    term: 2n,
    call: (roles) => roles.demote({ term: 1n }),
    message: "consensus term too old: request term 1 is less than current term 2",
  },
  "demote a standby again in an older term": {
    isStandby: true,
    term: 2n,
    call: (roles) => roles.demote({ term: 1n }),
    message: "consensus term too old: request term 1 is less than current term 2",
  },
  "demote a drained pooler": {
    isStandby: false,
    given: (site) => becomes(site, DRAINED, PoolerType.Drained),
    call: (roles) => roles.demote({ term: 1n }),
    message: "operation not allowed: pooler type is DRAINED, must be PRIMARY (service_id: a)",
  },
  "demote a REPLICA in front of a primary": {
    isStandby: false,
    given: (site) => becomes(site, RecordType.REPLICA, PoolerType.Replica),
    call: (roles) => roles.demote({ term: 1n }),
    message: "operation not allowed: pooler type is REPLICA, must be PRIMARY (service_id: a)",
  },
  "demote a drained pooler in a newer term": {
    isStandby: false,
    given: (site) => becomes(site, DRAINED, PoolerType.Drained),
    call: (roles) => roles.demote({ term: 9n }),
    message: "operation not allowed: pooler type is DRAINED, must be PRIMARY (service_id: a)",
  },
  "demote a primary in a newer term while the topology does not answer": {
    isStandby: false,
    given: withoutTopology,
    call: (roles) => roles.demote({ term: 9n }),
    message: expect.stringMatching(/^the topology has not answered since /),
  },
  "explain a promotion while the topology does not answer": {
    isStandby: true,
    given: withoutTopology,
    call: (roles) => roles.promote({ term: 1n, explain: true }),
    message: expect.stringMatching(/^the topology has not answered since /),
  },
  "undo the demotion of a pooler that never was demoted": {
    isStandby: true,
    call: (roles) => roles.undoDemote(),
    message: "there is no demotion to undo",
  },
  "undo a demotion under an older term": {
    isStandby: false,
    given: async (site) => {
      await demoted(site);
      await site.fixture.manager.consensus.beginTerm({ term: 2n, candidate: OTHER });
    },
    call: (roles) => roles.undoDemote(),
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
    message: "the demotion cannot be undone: the server follows db2:5432 by now",
  },
};

describe("it is refused to", () => {
  test.each(Object.entries(REFUSALS))(
    "%s",
    async (_, { isStandby, term = 1n, given, call, message }) => {
      await using directory = await temporaryDir();
      await using site = await RoleSite.open(directory.path, { isStandby });
      await (term === 0n ? site.fixture.untilReady() : site.recruit(term));
      await given?.(site);
      await site.settled();
      const before = site.state;
      const { term: termBefore } = site.fixture.manager.status();
      site.replication.calls.length = 0;
      await expect(call(site.roles)).rejects.toMatchObject({
        code: "FAILED_PRECONDITION",
        message,
      });
      expect(site.replication.calls).toEqual([]);
      // A newer term would have taken the writes away.
      expect(site.fixture.manager.status().term).toEqual(termBefore);
      await site.settled();
      expect(site.state).toBe(before);
      site.fixture.servers.setReachable(true);
    },
  );
});

test("a demotion is not undone while another server has the shard", async () => {
  await using directory = await temporaryDir();
  const servers = new MemoryTopology();
  await using site = await RoleSite.open(directory.path, { servers });
  await site.recruit(1n);
  await demoted(site);
  await using elsewhere = await temporaryDir();
  await using rival = await RoleSite.open(elsewhere.path, { servers, name: "b" });
  await rival.fixture.until(({ notReadyCode }) => notReadyCode === "SECOND_PRIMARY");
  await rival.fixture.manager.consensus.setTerm({ ...NO_TERM, number: 2n, leader: OTHER });
  await rival.fixture.untilReady();
  await site.fixture.until(({ topology }) => topology.shardPrimary?.pooler.name === "b");
  await expect(site.roles.undoDemote()).rejects.toMatchObject({
    code: "FAILED_PRECONDITION",
    message: expect.stringMatching(
      /^the demotion cannot be undone: the shard has a primary on another server, claimed by zone1\/b /,
    ),
  });
  expect(site.state).toBe("REPLICA: REPLICA SERVING_RDONLY");
});

test.each([
  ["no term", 0n],
  ["another term", 9n],
])(
  "a demotion that is forced with %s is done, and undone, in the term that holds",
  async (_, term) => {
    await using directory = await temporaryDir();
    await using site = await RoleSite.open(directory.path);
    await site.recruit(3n);
    expect(await site.roles.demote({ term, force: FORCE })).toMatchObject({ term: 3n });
    expect(await site.roles.undoDemote()).toMatchObject({ term: 3n, notServing: undefined });
    expect(site.state).toBe("PRIMARY: PRIMARY SERVING");
  },
);

test.each([
  ["drained", ServingStatus.Drained, { code: "DRAINED", reason: "drained by an operator: works" }],
  [
    "made read-only",
    ServingStatus.ServingReadOnly,
    { code: "WRITES_REFUSED", reason: "made read-only by an operator: works" },
  ],
])(
  "a pooler that an operator has %s is promoted, and says that it does not serve",
  async (_, status, why) => {
    await using directory = await temporaryDir();
    await using site = await RoleSite.open(directory.path, { isStandby: true });
    await site.recruit(1n);
    await site.fixture.manager.setServingStatus({ status, reason: "works" }, { wait: true });
    expect(await site.roles.promote({ term: 1n })).toMatchObject({
      wasAlready: false,
      notServing: why,
    });
    expect(await site.roles.promote({ term: 1n })).toMatchObject({
      wasAlready: true,
      notServing: why,
    });
    await site.roles.demote({ term: 1n });
    expect(await site.roles.undoDemote()).toMatchObject({ notServing: why });
    await site.fixture.manager.setServingStatus({ status: ServingStatus.Serving, reason: "" });
    await site.fixture.untilReady();
    expect(await site.roles.promote({ term: 1n })).toMatchObject({ notServing: undefined });
  },
);

test("a type that is changed beside another primary is told to be of no use", async () => {
  const servers = new MemoryTopology();
  await using directory = await temporaryDir();
  await using first = await RoleSite.open(directory.path, { servers });
  await first.fixture.untilReady();
  await using elsewhere = await temporaryDir();
  await using second = await RoleSite.open(elsewhere.path, { servers, name: "b", isStandby: true });
  await second.fixture.untilReady();
  second.replication.become(false);
  expect(await second.roles.changeType(PoolerType.Primary)).toMatchObject({
    notServing: {
      code: "SECOND_PRIMARY",
      reason: expect.stringContaining("claimed by zone1/a"),
    },
  });
  expect(await second.roles.changeType(PoolerType.Replica)).toEqual({ notServing: undefined });
});
