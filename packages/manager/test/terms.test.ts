import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { Component, NO_TERM } from "../src/terms/consensus-term.ts";
import type { ComponentId } from "../src/terms/consensus-term.ts";
import { Terms } from "../src/terms/terms.ts";
import { RecordingLogger } from "./recording-logger.ts";
import { temporaryDir } from "./temporary-dir.ts";

const SELF: ComponentId = { component: Component.Multipooler, cell: "zone1", name: "a" };
const OTHER: ComponentId = { component: Component.Multipooler, cell: "zone1", name: "b" };

/** What the pooler `a` has promised, and how often that may have changed its right to write. */
function termsIn(poolerDir: string | undefined): { terms: Terms; changes: string[] } {
  const changes: string[] = [];
  const terms: Terms = new Terms({
    identity: { cell: "zone1", name: "a" },
    poolerDir,
    logger: new RecordingLogger(),
    onChange: () => changes.push(terms.facts?.superseded ?? "free"),
  });
  return { terms, changes };
}

test("a term outlives a restart, with vote and leader", async () => {
  await using directory = await temporaryDir();
  const { terms } = termsIn(directory.path);
  await terms.set({ ...NO_TERM, number: 5n, leader: OTHER });
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
  await terms.set({ ...NO_TERM, number: 1n, leader: SELF });
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
  await terms.set({ ...NO_TERM, number: 1n, leader: SELF });
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
  await terms.set({ ...NO_TERM, number: 1n });
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

test("a term that was heard of and not adopted yet is not forgotten by a vote in the one before", async () => {
  await using directory = await temporaryDir();
  const { terms } = termsIn(directory.path);
  await terms.set({ ...NO_TERM, number: 4n, leader: SELF });
  terms.hear(5n);
  await terms.accept(OTHER, new Date());
  await terms.set({ ...NO_TERM, number: 4n });
  expect(terms.facts?.superseded).toBe("term 5 is known, and this pooler does not lead it");
  await terms.set({ ...NO_TERM, number: 3n, leader: SELF });
  expect(terms.facts?.superseded).toBeUndefined();
});

test("a pooler without a directory keeps no term, and loses no right by refusing one", async () => {
  const { terms } = termsIn(undefined);
  await expect(terms.set({ ...NO_TERM, number: 1n })).rejects.toMatchObject({
    code: "FAILED_PRECONDITION",
    message: expect.stringContaining("--pooler-dir"),
  });
  expect(terms.facts?.superseded).toBeUndefined();
});

test("a term that is set may be lower, and not negative", async () => {
  await using directory = await temporaryDir();
  const { terms } = termsIn(directory.path);
  await terms.set({ ...NO_TERM, number: 5n });
  await terms.set({ ...NO_TERM, number: 2n, leader: SELF });
  expect(terms.current.number).toBe(2n);
  expect(terms.facts?.superseded).toBeUndefined();
  await expect(terms.set({ ...NO_TERM, number: -1n })).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
  });
});
