import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { MemoryTopology } from "@multipooler/topo/memory";
import { expect, test } from "vitest";
import { ManagerError, ManagerErrorCode } from "../src/manager-error.ts";
import { PoolerType } from "../src/record/pooler-type.ts";
import { NO_TERM } from "../src/terms/consensus-term.ts";
import { RoleSite, SYNCHRONOUS } from "./role-site.ts";
import { temporaryDir } from "./temporary-dir.ts";

test("a demotion and a promotion go through the same states as the tables say", async () => {
  await using directory = await temporaryDir();
  await using site = await RoleSite.open(directory.path);
  await site.recruit(1n);
  site.replication.synchronous = SYNCHRONOUS;
  const demoted = await site.roles.demote({ term: 1n });
  expect(demoted).toMatchObject({ wasAlready: false, term: 1n, lsn: "0/3000148", terminated: 2 });
  expect(demoted.steps.map(({ name }) => name)).toEqual([
    "stop serving",
    "end sessions",
    "follow nobody",
    "restart as standby",
    "wait for no standby",
    "become replica",
    "give up the term",
    "serve",
  ]);
  expect(site.log).toEqual(["restart while NOT_SERVING"]);
  expect(site.checked).toEqual([site.replication.process]);
  expect(site.state).toBe("REPLICA: REPLICA SERVING_RDONLY");
  expect(site.replication.synchronous).toBeUndefined();
  // Once more: it was done already, and nothing is done again.
  site.replication.calls.length = 0;
  expect(await site.roles.demote({ term: 1n })).toEqual({
    ...demoted,
    steps: [],
    wasAlready: true,
  });
  expect(site.replication.calls).toEqual([]);

  await site.fixture.manager.consensus.setTerm({ ...NO_TERM, number: 2n });
  const promotion = { term: 2n, expectedLsn: "0/03000148", synchronous: SYNCHRONOUS };
  const promoted = await site.roles.promote(promotion);
  expect(promoted).toMatchObject({ wasAlready: false, term: 2n, lsn: "0/3000148" });
  expect(site.replication.calls).toEqual(["pause receiver", "promote", "setSynchronous 1"]);
  expect(site.state).toBe("PRIMARY: PRIMARY SERVING");
  expect(site.fixture.manager.status().serving.current.term?.coordinatorTerm).toBe(2n);
  // A retry of a promotion that succeeded answers success.
  expect(await site.roles.promote(promotion)).toEqual({ ...promoted, steps: [], wasAlready: true });
});

test("what is explained is not done, and a newer term is not adopted", async () => {
  await using directory = await temporaryDir();
  await using site = await RoleSite.open(directory.path);
  await site.recruit(1n);
  const { steps } = await site.roles.demote({ term: 9n, explain: true });
  expect(steps.filter(({ isNeeded }) => isNeeded).map(({ name }) => name)).toContain(
    "restart as standby",
  );
  expect(site.replication.calls).toEqual([]);
  expect(site.fixture.manager.status().term.number).toBe(1n);
  expect(site.state).toBe("PRIMARY: PRIMARY SERVING");
});

test("a lost control of the process makes a demotion fail before anything is changed", async () => {
  await using directory = await temporaryDir();
  await using site = await RoleSite.open(directory.path);
  await site.recruit(1n);
  site.lost = new ManagerError(ManagerErrorCode.ProcessControlFailed, "the daemon is away");
  await expect(site.roles.demote({ term: 7n })).rejects.toBe(site.lost);
  expect(site.fixture.manager.status()).toMatchObject({ ready: true, term: { number: 1n } });
  expect(site.state).toBe("PRIMARY: PRIMARY SERVING");
  expect(site.replication.calls).toEqual([]);
});

test("a demotion that fails in the middle serves nothing until it is repeated, over a restart too", async () => {
  await using directory = await temporaryDir();
  const servers = new MemoryTopology();
  {
    await using site = await RoleSite.open(directory.path, { servers });
    await site.recruit(1n);
    site.replication.faults.set("setSynchronous", new ManagerError("TIMED_OUT", "it hangs"));
    await expect(site.roles.demote({ term: 1n })).rejects.toMatchObject({
      code: "TIMED_OUT",
      message: 'Demote failed at "wait for no standby" and is to be repeated: it hangs',
    });
    const status = site.fixture.manager.status();
    expect(status).toMatchObject({ ready: false, notReadyCode: "CHANGING" });
    expect(status.notReadyReason).toMatch(/^Demote of .* is not complete; repeat it/);
    await expect(site.roles.changeType(PoolerType.Replica)).rejects.toMatchObject({
      code: "FAILED_PRECONDITION",
    });
  }
  await using again = await RoleSite.open(directory.path, { servers, isStandby: true });
  const held = await again.fixture.until(({ notReadyCode }) => notReadyCode === "CHANGING");
  expect(held.serving.current.status).toBe("NOT_SERVING");
  const demoted = await again.roles.demote({ term: 1n });
  expect(demoted).toMatchObject({ wasAlready: false, terminated: 2 });
  expect(again.log).toEqual([]);
  expect(again.state).toBe("REPLICA: REPLICA SERVING_RDONLY");
});

test("a promotion that fails in the middle admits no write before it is repeated", async () => {
  await using directory = await temporaryDir();
  await using site = await RoleSite.open(directory.path, { isStandby: true });
  await site.recruit(3n);
  site.replication.faults.set("setSynchronous", new ManagerError("TIMED_OUT", "it hangs"));
  const promotion = { term: 3n, synchronous: SYNCHRONOUS };
  await expect(site.roles.promote(promotion)).rejects.toThrow('at "wait for standbys"');
  expect(site.state).toBe("PRIMARY: REPLICA NOT_SERVING");
  expect(site.fixture.controller.calls).not.toContain("PRIMARY SERVING");
  expect(await site.roles.promote(promotion)).toMatchObject({ wasAlready: false });
  expect(site.state).toBe("PRIMARY: PRIMARY SERVING");
});

test("a demotion can be undone until the server follows somebody else", async () => {
  await using directory = await temporaryDir();
  await using site = await RoleSite.open(directory.path);
  await site.recruit(1n);
  site.replication.synchronous = SYNCHRONOUS;
  await site.roles.demote({ term: 1n });
  expect(await site.roles.undoDemote()).toMatchObject({ wasAlready: false, term: 1n });
  await site.fixture.until(({ serving }) => serving.current.role === "PRIMARY");
  expect(site.replication.synchronous).toEqual(SYNCHRONOUS);
  // A retry of an undoing that succeeded answers success.
  site.replication.calls.length = 0;
  expect(await site.roles.undoDemote()).toMatchObject({ wasAlready: true, term: 1n, steps: [] });
  expect(site.replication.calls).toEqual([]);

  await site.roles.demote({ term: 1n });
  await site.fixture.manager.replication.setPrimaryConnInfo(
    { host: "db2", port: 5432 },
    { term: 1n },
  );
  await expect(site.roles.undoDemote()).rejects.toMatchObject({
    code: "FAILED_PRECONDITION",
    message: "the demotion cannot be undone: the server follows db2:5432 by now",
  });
  expect(site.state).toBe("REPLICA: REPLICA SERVING_RDONLY");
});

test("a demotion whose server died at once is undone with the standbys that it waited for", async () => {
  await using directory = await temporaryDir();
  await using site = await RoleSite.open(directory.path);
  await site.recruit(1n);
  site.replication.synchronous = SYNCHRONOUS;
  const demotion = site.roles.demote({ term: 1n });
  await site.fixture.until(({ notReadyCode }) => notReadyCode === "CHANGING");
  site.isRunning = () => false;
  site.replication.fault = new ManagerError(ManagerErrorCode.DatabaseUnavailable, "it died");
  expect(await demotion).toMatchObject({ wasAlready: false, terminated: 0 });
  expect(site.replication.synchronous).toBeUndefined();
  await site.roles.undoDemote();
  expect(site.replication.synchronous).toEqual(SYNCHRONOUS);
});

test("a demotion waits for a server that is slow, and leaves no step out", async () => {
  await using directory = await temporaryDir();
  await using site = await RoleSite.open(directory.path);
  await site.recruit(1n);
  const demotion = site.roles.demote({ term: 1n });
  await site.fixture.until(({ notReadyCode }) => notReadyCode === "CHANGING");
  site.replication.fault = new ManagerError(ManagerErrorCode.DatabaseTimeout, "it is slow");
  site.isRunning = () => {
    site.replication.fault = undefined;
    return true;
  };
  expect(await demotion).toMatchObject({ wasAlready: false, terminated: 2 });
  expect(site.replication.calls).toEqual(["terminateClients", "forgetPrimary", "setSynchronous 0"]);
});

test("a promotion in place of a demotion that failed has commits wait as before", async () => {
  await using directory = await temporaryDir();
  await using site = await RoleSite.open(directory.path);
  await site.recruit(1n);
  site.replication.synchronous = SYNCHRONOUS;
  site.replication.faults.set("terminateClients", new ManagerError("TIMED_OUT", "it hangs"));
  await expect(site.roles.demote({ term: 1n })).rejects.toThrow('at "end sessions"');
  site.replication.synchronous = undefined;
  site.replication.faults.set("setSynchronous", new ManagerError("TIMED_OUT", "it hangs"));
  await expect(site.roles.promote({ term: 1n })).rejects.toThrow('at "wait for standbys"');
  // Nor does the repetition forget it.
  expect(await site.roles.promote({ term: 1n })).toMatchObject({ wasAlready: false });
  expect(site.replication.synchronous).toEqual(SYNCHRONOUS);
});

test("a demotion in place of an undoing that failed knows the standbys too", async () => {
  await using directory = await temporaryDir();
  await using site = await RoleSite.open(directory.path);
  await site.recruit(1n);
  site.replication.synchronous = SYNCHRONOUS;
  await site.roles.demote({ term: 1n });
  site.replication.faults.set("setSynchronous", new ManagerError("TIMED_OUT", "it hangs"));
  await expect(site.roles.undoDemote()).rejects.toThrow('at "wait for standbys"');
  await site.roles.demote({ term: 1n });
  await site.roles.undoDemote();
  expect(site.replication.synchronous).toEqual(SYNCHRONOUS);
});

test("a demotion that is asked for again goes along to the newer term, and one of an older term does not", async () => {
  await using directory = await temporaryDir();
  await using site = await RoleSite.open(directory.path);
  const demotion = (): unknown => site.fixture.manager.status().demotion;
  await site.recruit(1n);
  expect(demotion()).toBeUndefined();
  site.replication.synchronous = SYNCHRONOUS;
  await site.roles.demote({ term: 1n });
  site.replication.lsn = "0/4000000";
  const again = { wasAlready: true, lsn: "0/3000148", synchronous: SYNCHRONOUS };
  expect(await site.roles.demote({ term: 2n })).toMatchObject(again);
  expect(demotion()).toEqual({ term: 2n, lsn: "0/3000148" });
  // Under another leader there may have been other writes.
  const candidate = { component: "MULTIPOOLER", cell: "zone1", name: "b" } as const;
  await site.fixture.manager.consensus.beginTerm({ term: 3n, candidate });
  const since = { wasAlready: true, lsn: "0/4000000", synchronous: undefined };
  expect(await site.roles.demote({ term: 4n })).toMatchObject(since);
  expect(demotion()).toEqual({ term: 2n, lsn: "0/3000148" });
  // Who knows that there were none says so.
  expect(await site.roles.demote({ force: "nobody was promoted" })).toMatchObject(again);
  expect(demotion()).toEqual({ term: 4n, lsn: "0/3000148" });
});

test("a demotion that goes on in a newer term is one of that, and can be undone in it", async () => {
  await using directory = await temporaryDir();
  await using site = await RoleSite.open(directory.path);
  await site.recruit(1n);
  site.replication.faults.set("setSynchronous", new ManagerError("TIMED_OUT", "it hangs"));
  await expect(site.roles.demote({ term: 1n })).rejects.toThrow("it hangs");
  await site.roles.demote({ term: 2n });
  expect(site.fixture.manager.status().demotion).toMatchObject({ term: 2n });
  expect(await site.roles.undoDemote()).toMatchObject({ wasAlready: false, term: 2n });
  expect(site.state).toBe("PRIMARY: PRIMARY SERVING");
});

test("a standby that was never demoted is not made a primary by an undoing", async () => {
  await using directory = await temporaryDir();
  await using site = await RoleSite.open(directory.path, { isStandby: true });
  await site.fixture.untilReady();
  await expect(site.roles.undoDemote()).rejects.toMatchObject({
    code: "FAILED_PRECONDITION",
    message: "there is no demotion to undo",
  });
});

test("a demotion under an older term cannot be undone", async () => {
  await using directory = await temporaryDir();
  await using site = await RoleSite.open(directory.path);
  await site.recruit(1n);
  await site.roles.demote({ term: 1n });
  const candidate = { component: "MULTIPOOLER", cell: "zone1", name: "b" } as const;
  await site.fixture.manager.consensus.beginTerm({ term: 2n, candidate });
  await expect(site.roles.undoDemote()).rejects.toMatchObject({
    code: "FAILED_PRECONDITION",
    message: "the demotion of term 1 cannot be undone: the current term is 2",
  });
});

test.each([
  ["without a term", { term: 0n }, "node must be recruited via SetTerm first", 0n],
  ["of another term", { term: 5n }, "not recruited for term 5 (current term is 1)", 1n],
  ["at another position", { term: 1n, expectedLsn: "0/1" }, "LSN mismatch: expected 0/1", 1n],
])("a promotion %s is refused, and changes nothing", async (_, request, message, term) => {
  await using directory = await temporaryDir();
  await using site = await RoleSite.open(directory.path, { isStandby: true });
  if (term === 0n) {
    await site.fixture.untilReady();
  } else {
    await site.recruit(term);
  }
  await expect(site.roles.promote(request)).rejects.toMatchObject({
    code: "FAILED_PRECONDITION",
    message: expect.stringContaining(message),
  });
  expect(site.replication.calls).toEqual([]);
  expect(site.fixture.manager.status().ready).toBe(true);
});

test.each([
  [{ force: "" }, "force must be a reason"],
  [{ force: "two\nlines" }, "force must be a reason"],
  [{ expectedLsn: "here" }, "expected_lsn"],
  [{ drainTimeoutMs: -1 }, "drain_timeout is -1 ms"],
  [{ drainTimeoutMs: Number.NaN }, "drain_timeout is NaN ms"],
])("%o is no request", async (request, message) => {
  await using directory = await temporaryDir();
  await using site = await RoleSite.open(directory.path);
  await site.recruit(1n);
  const refusal = { code: "INVALID_ARGUMENT", message: expect.stringContaining(message) };
  await expect(site.roles.demote({ term: 1n, ...request })).rejects.toMatchObject(refusal);
  await expect(site.roles.promote({ term: 1n, ...request })).rejects.toMatchObject(refusal);
  expect(site.fixture.manager.status().ready).toBe(true);
});

test("a topology that does not answer is told before anything is changed", async () => {
  await using directory = await temporaryDir();
  const servers = new MemoryTopology();
  await using site = await RoleSite.open(directory.path, { servers });
  await site.recruit(1n);
  servers.setReachable(false);
  await site.fixture.until(({ topology }) => topology.awaySince !== undefined);
  await expect(site.roles.demote({ term: 1n })).rejects.toMatchObject({
    code: "FAILED_PRECONDITION",
    message: expect.stringMatching(/^the topology has not answered since /),
  });
  await expect(site.roles.changeType(PoolerType.Replica)).rejects.toMatchObject({
    code: "FAILED_PRECONDITION",
    message: expect.stringMatching(/^the topology does not take the change: /),
  });
  expect(site.fixture.manager.status().ready).toBe(true);
  servers.setReachable(true);
});

test("a type is changed as an administrator does, and only to one that a pooler can be", async () => {
  await using directory = await temporaryDir();
  await using site = await RoleSite.open(directory.path);
  await site.fixture.untilReady();
  await site.roles.changeType(PoolerType.Replica);
  expect(site.fixture.manager.status().type).toBe("REPLICA");
  await expect(site.roles.changeType(PoolerType.Drained)).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: "invalid pooler type: DRAINED, must be PRIMARY or REPLICA",
  });
});

test.each(["{", "[]", '{"action": "Dance"}', '{"action": "Demote", "isDone": false}'])(
  "a journal of %s ends the start with an error that names it",
  async (content) => {
    await using directory = await temporaryDir();
    const file = path.join(directory.path, "role_action.json");
    await writeFile(file, content);
    await using site = new RoleSite(directory.path);
    await expect(site.fixture.open()).rejects.toMatchObject({
      code: "RECORD_FILE_INVALID",
      message: expect.stringContaining(file),
    });
    expect(await readFile(file, "utf8")).toBe(content);
  },
);
