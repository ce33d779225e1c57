import { runProgram } from "@multipooler/pooler-process";
import type { ProgramResult } from "@multipooler/pooler-process";
import { ID_ComponentType } from "@multipooler/proto/clustermetadata";
import { NotReadyCode } from "@multipooler/proto/manager-v1";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ClusterNode } from "./switchover/cluster-node.ts";
import { CallGate, killedAt } from "./switchover/held-call.ts";
import { EMBEDDED, startPair } from "./switchover/node-pair.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

// The pooler of a killed command goes on with its last call, or gets it only then. Whatever the next command
// has seen before that is not so any more.

const TIMEOUT_MS = 180_000;
const PATIENCE = { timeout: 30_000, interval: 20 };
const parts = new AsyncDisposableStack();
let gate: CallGate;
let from: ClusterNode;
let to: ClusterNode;
let term = 1n;

beforeAll(async () => {
  const directory = parts.use(await temporaryDirectory());
  gate = await CallGate.create(directory.path);
  [from, to] = await startPair({ directory: directory.path, programs: EMBEDDED }, parts);
}, TIMEOUT_MS);

afterAll(() => parts.disposeAsync());

function switchover(
  env: Readonly<Record<string, string>> = {},
  signal = AbortSignal.timeout(TIMEOUT_MS),
): Promise<ProgramResult> {
  return runProgram(["ctl", "switchover", "--from", from.address, "--to", to.address], {
    env,
    signal,
  });
}

/** Has a switchover go as far as to the call, and end there. */
async function stoppedAt(call: string): Promise<void> {
  const { code, stderr } = await switchover(killedAt(call));
  expect([call, code, stderr]).toEqual([call, null, ""]);
}

/** Each pooler is what the switchover was to make of it, and the other way round is the next one's. */
async function expectSwitched({ code, stdout, stderr }: ProgramResult): Promise<string> {
  term += 1n;
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: expect.stringMatching(
      `^${to.address} is the primary (?:already )?in term ${term}, and ${from.address} follows`,
    ),
  });
  await to.ready();
  await to.sql(`insert into kept values (${term})`);
  const kept = `select id from kept where id = ${term}`;
  await expect.poll(() => from.sql(kept), PATIENCE).toEqual([{ id: Number(term) }]);
  [from, to] = [to, from];
  await to.ready();
  return stderr;
}

/** The calls of a switchover that change something, as the killed command has sent the last one of them. */
const LATE: Readonly<Record<string, () => Promise<unknown>>> = {
  SetTerm: () => to.client.consensus.setTerm({ term: { termNumber: term + 1n } }),
  Demote: () => from.client.roles.demote({ consensusTerm: term + 1n }),
  SetPrimaryConnInfo: () =>
    from.client.replication.setPrimaryConnInfo({
      host: "127.0.0.1",
      port: to.port,
      currentTerm: term + 1n,
    }),
  Promote: () => to.client.roles.promote({ consensusTerm: term + 1n }),
};

test.for([
  ["SetTerm", "SetTerm"],
  ["SetTerm", "Demote"],
  ["Demote", "Demote"],
  ["SetPrimaryConnInfo", "Demote"],
  ["SetPrimaryConnInfo", "WaitForLSN"],
  ["Promote", "Demote"],
  ["Promote", "WaitForLSN"],
  ["Promote", "SetPrimaryConnInfo"],
  ["Promote", "Promote"],
] as const)(
  "the %s of a killed switchover arrives before the %s of the next one, which completes",
  { timeout: TIMEOUT_MS },
  async ([late, next]) => {
    await stoppedAt(late);
    const running = switchover(gate.heldAt(next));
    {
      await using _ = await gate.reached(running);
      await LATE[late]?.();
    }
    expect(await expectSwitched(await running)).toBe("");
  },
);

/** Asks the standby to vote for another pooler in the next term; resolves with whether it does. */
async function voteForOther(): Promise<boolean> {
  const { accepted } = await to.client.consensus.beginTerm({
    term: term + 1n,
    candidateId: { component: ID_ComponentType.MULTIPOOLER, cell: "zone1", name: "c" },
  });
  return accepted;
}

test(
  "a standby that votes for another pooler after the plan is recruited in a newer term, before the demotion",
  { timeout: TIMEOUT_MS },
  async () => {
    const running = switchover(gate.heldAt("SetTerm"));
    {
      await using _ = await gate.reached(running);
      expect(await voteForOther()).toBe(true);
    }
    const done = await running;
    // No gap is told of one that has found a demotion.
    expect(done.stdout).toMatch(/ No writes were taken for [0-9]+ ms\.\n$/);
    term += 1n;
    expect(await expectSwitched(done)).toBe("");
  },
);

test(
  "a standby that is recruited votes for no other pooler in the term of the switchover",
  { timeout: TIMEOUT_MS },
  async () => {
    const running = switchover(gate.heldAt("Demote"));
    {
      await using _ = await gate.reached(running);
      expect(await voteForOther()).toBe(false);
    }
    expect(await expectSwitched(await running)).toBe("");
  },
);

// PostgreSQL's process without which the step that takes longest does not end.
test.for([
  ["Demote", (): ClusterNode => from, "checkpointer"],
  ["Promote", (): ClusterNode => to, "startup"],
] as const)(
  "the %s of a killed switchover still runs: the next one waits, and says for what",
  { timeout: TIMEOUT_MS },
  async ([call, changed, part]) => {
    const node = changed();
    const { address } = node;
    const first = new AbortController();
    const killed = switchover(gate.heldAt(call), first.signal);
    using held = new DisposableStack();
    {
      await using _ = await gate.reached(killed);
      held.use(await stopped(node, part));
    }
    await untilChanging(node);
    first.abort();
    await expect(killed).rejects.toThrow("aborted");
    // Each time it looks, it asks both.
    const next = switchover(gate.heldAt("Status 3"));
    {
      await using _ = await gate.reached(next);
      held.dispose();
    }
    expect(await expectSwitched(await next)).toMatch(
      new RegExp(`^multipooler: waiting: ${call} runs since [-0-9]+ [:0-9]+Z at ${address}\n$`),
    );
  },
);

test(
  "a standby that is lost while it catches up has the demotion undone",
  { timeout: TIMEOUT_MS },
  async () => {
    const running = switchover(gate.heldAt("WaitForLSN"));
    {
      await using _ = await gate.reached(running);
      process.kill(await to.pidOf("pooler"), "SIGKILL");
    }
    const { code, stdout, stderr } = await running;
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(
      /^multipooler: waiting for the standby .*; the primary is the primary again\n$/,
    );
    await from.ready();
    await to.revive("pooler");
    await to.ready();
    // Its term is the primary's now: the next one is one more.
    term += 1n;
    await expectSwitched(await switchover());
  },
);

/** Resolves when a change of the pooler's role has begun, which nobody needs to wait for. */
async function untilChanging({ client }: ClusterNode): Promise<void> {
  await expect
    .poll(async () => (await client.status()).notReadyCode, PATIENCE)
    .toBe(NotReadyCode.NOT_READY_CODE_CHANGING);
}

/** Has a process of PostgreSQL stand still until the result is disposed of. */
async function stopped(node: ClusterNode, part: string): Promise<Disposable> {
  const [row] = await node.sql(`select pid from pg_stat_activity where backend_type = '${part}'`);
  const pid = Number(row?.["pid"]);
  process.kill(pid, "SIGSTOP");
  return { [Symbol.dispose]: () => void process.kill(pid, "SIGCONT") };
}
