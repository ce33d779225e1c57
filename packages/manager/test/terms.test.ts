import { mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { systemClock } from "@multipooler/timing";
import { expect, test } from "vitest";
import { ActionLock } from "../src/actions/action-lock.ts";
import { Component, NO_TERM } from "../src/terms/consensus-term.ts";
import type { ComponentId } from "../src/terms/consensus-term.ts";
import { Terms } from "../src/terms/terms.ts";
import { RecordingLogger } from "./recording-logger.ts";
import { temporaryDir } from "./temporary-dir.ts";

const SELF: ComponentId = { component: Component.Multipooler, cell: "zone1", name: "a" };
const OTHER: ComponentId = { component: Component.Multipooler, cell: "zone1", name: "b" };

/** What the pooler `a` has promised, and how often that may have changed its right to write. */
function termsIn(poolerDir: string | undefined): {
  terms: Terms;
  changes: string[];
  logger: RecordingLogger;
} {
  const changes: string[] = [];
  const logger = new RecordingLogger();
  const terms: Terms = new Terms({
    identity: { cell: "zone1", name: "a" },
    poolerDir,
    logger,
    onChange: () => changes.push(terms.facts?.superseded ?? "free"),
  });
  return { terms, changes, logger };
}

test("a term outlives a restart, with vote and leader", async () => {
  await using directory = await temporaryDir();
  const { terms } = termsIn(directory.path);
  await terms.set({ ...NO_TERM, number: 5n, leader: OTHER }, undefined);
  await terms.accept(OTHER, new Date("2026-01-02T03:04:05.000Z"));
  const again = termsIn(directory.path).terms;
  await again.load();
  expect(again.current).toEqual({
    number: 5n,
    acceptedLeader: OTHER,
    acceptedAt: new Date("2026-01-02T03:04:05.000Z"),
    leader: OTHER,
  });
  const file = path.join(directory.path, "consensus_term.json");
  expect(JSON.parse(await readFile(file, "utf8"))).toMatchObject({
    termNumber: "5",
    leaderId: OTHER,
  });
});

test.each([
  ["", "is not JSON"],
  ["5", "does not hold an object"],
  ["{}", 'does not hold a term as "termNumber"'],
  ['{"termNumber": 5}', 'does not hold a term as "termNumber"'],
  ['{"termNumber": "-1"}', 'does not hold a term as "termNumber"'],
  ['{"termNumber": "1", "leaderId": "a"}', 'does not hold component, cell and name as "leaderId"'],
  ['{"termNumber": "1", "acceptedLeader": {}}', 'as "acceptedLeader"'],
  ['{"termNumber": "1", "lastAcceptanceTime": "soon"}', 'a time as "lastAcceptanceTime"'],
])("a term file with %j is no term 0 but an error that names it", async (content, why) => {
  await using directory = await temporaryDir();
  const file = path.join(directory.path, "consensus_term.json");
  await writeFile(file, content);
  const loading = termsIn(directory.path).terms.load();
  await expect(loading).rejects.toMatchObject({
    code: "RECORD_FILE_INVALID",
    message: expect.stringContaining(`${file} `),
  });
  await expect(loading).rejects.toThrow(why);
});

test("a newer term is adopted, and takes the right to write away before it is on disk", async () => {
  await using directory = await temporaryDir();
  const { terms, changes } = termsIn(directory.path);
  await terms.set({ ...NO_TERM, number: 1n, leader: SELF }, undefined);
  expect(terms.facts?.superseded).toBeUndefined();
  // What is in its place cannot be replaced.
  await mkdir(path.join(directory.path, "consensus_term.json.tmp"));
  await expect(terms.require(2n, undefined)).rejects.toThrow("EISDIR");
  expect(terms.current.number).toBe(1n);
  expect(terms.facts?.superseded).toBe("term 2 is known, and this pooler does not lead it");
  expect(changes.at(-1)).toBe(terms.facts?.superseded);
});

test("a newer term clears vote and leader", async () => {
  await using directory = await temporaryDir();
  const { terms } = termsIn(directory.path);
  await terms.set({ ...NO_TERM, number: 1n, leader: SELF }, undefined);
  await terms.accept(OTHER, new Date());
  await terms.require(7n, undefined);
  expect(terms.current).toEqual({ ...NO_TERM, number: 7n });
  expect(terms.facts?.superseded).toBe("term 7 is known, and this pooler does not lead it");
});

test("a forced request leaves the term alone, whatever it says", async () => {
  const { terms } = termsIn(undefined);
  await terms.require(0n, "the coordinator is gone");
  await terms.check("exactly", 9n, "the coordinator is gone");
  expect(terms.current).toEqual(NO_TERM);
});

test("one vote a term: the same candidate again is no other one", async () => {
  await using directory = await temporaryDir();
  const { terms } = termsIn(directory.path);
  await expect(terms.accept(OTHER, new Date())).rejects.toThrow("no term is known");
  await terms.set({ ...NO_TERM, number: 1n }, undefined);
  const first = new Date("2026-01-02T03:04:05.000Z");
  await terms.accept(OTHER, first);
  await terms.accept(OTHER, new Date());
  expect(terms.current.acceptedAt).toEqual(first);
  const orchestrator = { ...OTHER, component: Component.Multiorch };
  await expect(terms.accept(orchestrator, new Date())).rejects.toMatchObject({
    code: "FAILED_PRECONDITION",
    message: "zone1/b is accepted in term 1 already",
  });
});

test("a term that is heard of is adopted and outlives a restart, whatever is changed at the same time", async () => {
  await using directory = await temporaryDir();
  const { terms } = termsIn(directory.path);
  await terms.set({ ...NO_TERM, number: 4n, leader: SELF }, undefined);
  const vote = terms.accept(OTHER, new Date());
  const hearing = terms.hear(5n);
  expect(terms.facts?.superseded).toBe("term 5 is known, and this pooler does not lead it");
  const again = terms.set({ ...NO_TERM, number: 4n }, undefined);
  await expect(again).rejects.toThrow("request term 4 is less than current term 5");
  await Promise.all([vote, hearing]);
  const { terms: restarted } = termsIn(directory.path);
  await restarted.load();
  expect(restarted.current).toEqual({ ...NO_TERM, number: 5n });
  expect(restarted.facts?.superseded).toBe(terms.facts?.superseded);
});

test("a term that is heard of and cannot be kept is adopted when it is heard of once more", async () => {
  await using directory = await temporaryDir();
  const { terms } = termsIn(directory.path);
  await terms.set({ ...NO_TERM, number: 4n, leader: SELF }, undefined);
  const blocked = path.join(directory.path, "consensus_term.json.tmp");
  await mkdir(blocked);
  await expect(terms.hear(5n)).rejects.toThrow("EISDIR");
  expect(terms.whyNotLead(4n)).toBe("the term is not 4 any more: 5 is known");
  await rmdir(blocked);
  await terms.hear(5n);
  expect(terms.current.number).toBe(5n);
  expect(terms.whyNotLead(5n)).toBeUndefined();
});

test("a term is not led once a newer one was adopted", async () => {
  await using directory = await temporaryDir();
  const { terms } = termsIn(directory.path);
  await terms.set({ ...NO_TERM, number: 4n }, undefined);
  await terms.hear(5n);
  using lease = await new ActionLock(systemClock).acquire("Promote");
  await expect(terms.lead(lease, 4n)).rejects.toMatchObject({
    code: "FAILED_PRECONDITION",
    message: "the term is not 4 any more: 5 is known",
  });
  expect(terms.current.leader).toBeUndefined();
});

test("a vote for a coordinator keeps nobody from leading, one for another pooler does", async () => {
  await using directory = await temporaryDir();
  const { terms } = termsIn(directory.path);
  await terms.set({ ...NO_TERM, number: 4n }, undefined);
  await terms.accept({ ...OTHER, component: Component.Multiorch }, new Date());
  expect(terms.whyNotLead(4n)).toBeUndefined();
  await terms.hear(5n);
  await terms.accept(OTHER, new Date());
  expect(terms.whyNotLead(5n)).toBe(
    "zone1/b has this pooler's vote in term 5: another pooler is promoted in a newer one",
  );
  await terms.hear(6n);
  await terms.accept(SELF, new Date());
  expect(terms.whyNotLead(6n)).toBeUndefined();
  // Who leads a term goes on to, whomever it votes for.
  await terms.set({ ...NO_TERM, number: 7n, leader: SELF }, undefined);
  await terms.accept(OTHER, new Date());
  expect(terms.whyNotLead(7n)).toBeUndefined();
});

test("a pooler without a directory keeps no term, and loses no right by refusing one", async () => {
  const { terms } = termsIn(undefined);
  await expect(terms.set({ ...NO_TERM, number: 1n }, undefined)).rejects.toMatchObject({
    code: "FAILED_PRECONDITION",
    message: expect.stringContaining("--pooler-dir"),
  });
  expect(terms.facts?.superseded).toBeUndefined();
});

test("a term that is set is not negative, and no lower one than the current, which keeps its vote", async () => {
  await using directory = await temporaryDir();
  const { terms } = termsIn(directory.path);
  await terms.set({ ...NO_TERM, number: 5n }, undefined);
  await terms.accept(OTHER, new Date());
  await expect(terms.set({ ...NO_TERM, number: 4n }, undefined)).rejects.toMatchObject({
    code: "FAILED_PRECONDITION",
    message:
      "consensus term too old: request term 4 is less than current term 5; " +
      "only an administrator sets a lower one, and gives a reason (force)",
  });
  expect(terms.current).toMatchObject({ number: 5n, acceptedLeader: OTHER });
  await expect(terms.set({ ...NO_TERM, number: -1n }, "a reason")).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
  });
});

test("a lower term is set with a reason, and the log has what is forgotten for it", async () => {
  await using directory = await temporaryDir();
  const { terms, logger } = termsIn(directory.path);
  await terms.set({ ...NO_TERM, number: 5n, leader: OTHER }, undefined);
  await terms.accept(OTHER, new Date());
  await terms.set({ ...NO_TERM, number: 2n, leader: SELF }, "the shard starts over");
  expect(terms.current).toEqual({ ...NO_TERM, number: 2n, leader: SELF });
  expect(terms.facts?.superseded).toBeUndefined();
  expect(logger.lines).toContainEqual({
    level: "warn",
    message: "the term is set by force",
    fields: {
      term: "2",
      reason: "the shard starts over",
      forgotten: "term 5, led by zone1/b, voted for zone1/b",
    },
  });
});
