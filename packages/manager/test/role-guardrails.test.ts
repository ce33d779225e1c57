import { ServingStatus } from "@multipooler/controller-api";
import { MemoryTopology } from "@multipooler/topo/memory";
import { expect, test } from "vitest";
import { PoolerType } from "../src/record/pooler-type.ts";
import { Component, NO_TERM } from "../src/terms/consensus-term.ts";
import { RoleSite } from "./role-site.ts";
import { temporaryDir } from "./temporary-dir.ts";

const FORCE = "the test wants it";
const OTHER = { component: Component.Multipooler, cell: "zone1", name: "b" } as const;

test("a demotion is not undone while another server has the shard", async () => {
  await using directory = await temporaryDir();
  const servers = new MemoryTopology();
  await using site = await RoleSite.open(directory.path, { servers });
  await site.recruit(1n);
  await site.roles.demote({ term: 1n });
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
