import { PassThrough } from "node:stream";
import { finished } from "node:stream/promises";
import { expect, test } from "vitest";
import { LogTail } from "./log-tail.ts";

async function follow(log: LogTail, chunks: readonly (string | Buffer)[]): Promise<void> {
  const stream = new PassThrough();
  log.follow(stream);
  for (const chunk of chunks) {
    stream.write(chunk);
  }
  stream.end();
  await finished(stream);
}

test("joins lines and characters that arrive in pieces, and keeps an unfinished last line", async () => {
  const log = new LogTail();
  const heard: string[] = [];
  log.listen((line) => heard.push(line));
  const umlaut = Buffer.from("ü");
  await follow(log, ["fir", "st\nsec", umlaut.subarray(0, 1), umlaut.subarray(1), "nd\nlast"]);
  expect(heard).toEqual(["first", "secünd", "last"]);
  expect(log.lines).toEqual(heard);
});

test("keeps the last 20 lines only", async () => {
  const log = new LogTail();
  await follow(log, [Array.from({ length: 25 }, (_, index) => `${index}\n`).join("")]);
  expect(log.lines).toHaveLength(20);
  expect(log.lines[0]).toBe("5");
});

test("tells nothing to a listener that has left", async () => {
  const log = new LogTail();
  const heard: string[] = [];
  log.listen((line) => heard.push(line))();
  await follow(log, ["a\n"]);
  expect(heard).toEqual([]);
});
