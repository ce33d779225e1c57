import { appendFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { FileFollower } from "./file-follower.ts";

async function logFile(content: string): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "mp follow "));
  onTestFinished(async () => await rm(dir, { recursive: true }));
  const file = join(dir, "x.log");
  writeFileSync(file, content);
  return file;
}

test("hands out complete lines, whole characters, and nothing twice", async () => {
  const file = await logFile("one\ntw");
  const lines: string[] = [];
  using follower = FileFollower.open(file, (line) => lines.push(line));
  follower.read();
  expect(lines).toEqual(["one"]);
  const umlaut = Buffer.from("ü");
  appendFileSync(file, umlaut.subarray(0, 1));
  follower.read();
  appendFileSync(file, Buffer.concat([umlaut.subarray(1), Buffer.from("o\n")]));
  follower.read();
  follower.read();
  expect(lines).toEqual(["one", "twüo"]);
});

test("reports new lines by itself", async () => {
  const file = await logFile("");
  const { promise, resolve } = Promise.withResolvers<string>();
  using _ = FileFollower.open(file, resolve);
  appendFileSync(file, "news\n");
  expect(await promise).toBe("news");
});

test("reads a file that is longer than its buffer", async () => {
  const file = await logFile(`${"x".repeat(100_000)}\n`);
  const onLine = vi.fn<(line: string) => void>();
  using follower = FileFollower.open(file, onLine);
  follower.read();
  expect(onLine).toHaveBeenCalledExactlyOnceWith("x".repeat(100_000));
});
