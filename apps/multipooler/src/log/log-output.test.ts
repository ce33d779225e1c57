import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LogOutput } from "./log-output.ts";
import type { LogOutage } from "./log-output.ts";

const { O_NONBLOCK, O_RDWR, O_WRONLY } = constants;
const LINE = `${"x".repeat(1023)}\n`;

let directory: string;
let reader: number;
let writer: number;
let outages: string[];
let recoveries: LogOutage[];
let recovered: PromiseWithResolvers<void>;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "multipooler log "));
  const path = join(directory, "fifo");
  execFileSync("mkfifo", [path]);
  reader = openSync(path, O_RDWR | O_NONBLOCK);
  writer = openSync(path, O_WRONLY | O_NONBLOCK);
  outages = [];
  recoveries = [];
  recovered = Promise.withResolvers();
});

afterEach(() => {
  closeSync(reader);
  closeSync(writer);
  rmSync(directory, { recursive: true });
});

function output(fd: number): LogOutput {
  return new LogOutput({
    fd,
    onOutage: ({ message }) => outages.push(message),
    onRecovery: (outage) => {
      recoveries.push(outage);
      recovered.resolve();
    },
  });
}

/** Everything that is in the pipe now. */
function read(): string {
  const chunks: Buffer[] = [];
  for (;;) {
    const chunk = Buffer.alloc(65_536);
    try {
      chunks.push(chunk.subarray(0, readSync(reader, chunk)));
    } catch {
      return Buffer.concat(chunks).toString();
    }
  }
}

/** Fills the pipe to the last byte; what is in it is no line. */
function fill(): void {
  for (const size of [4096, 1]) {
    try {
      for (;;) {
        writeSync(writer, ".".repeat(size));
      }
    } catch {
      // Not even this much fits.
    }
  }
}

test("a line is written at once", () => {
  output(writer).write("one\n");
  expect(read()).toBe("one\n");
});

test("lines that a slow reader left no room for arrive in order once there is", async () => {
  const log = output(writer);
  fill();
  log.write("one\n");
  log.write("two\n");
  expect(log.outage, "a slow reader is no outage").toBeUndefined();
  read();
  await expect.poll(read).toBe("one\ntwo\n");
  log.write("three\n");
  expect(read()).toBe("three\n");
  expect([outages, recoveries]).toEqual([[], []]);
});

test("lines past the limit are dropped, and reported after the buffered ones", async () => {
  const log = output(writer);
  fill();
  const lines = 5000;
  for (let count = 0; count < lines; count += 1) {
    log.write(LINE);
  }
  const dropped = log.outage?.droppedLines ?? 0;
  // 1 MiB is kept.
  expect(lines - dropped).toBe(1024);
  let kept = "";
  const reading = setInterval(() => (kept += read()), 1);
  await recovered.promise;
  clearInterval(reading);
  kept = `${kept}${read()}`.replace(/^\.+/, "");
  expect(kept === LINE.repeat(1024)).toBe(true);
  expect(recoveries).toEqual([{ error: expect.stringContaining("EAGAIN"), droppedLines: dropped }]);
  expect(log.outage).toBeUndefined();
});

test("closing waits for a slow reader", async () => {
  const log = output(writer);
  fill();
  log.write("last\n");
  const closed = log.close();
  read();
  await closed;
  expect(read()).toBe("last\n");
});

test("closing does not wait for a reader that has stopped", async () => {
  const log = output(writer);
  fill();
  log.write("last\n");
  await log.close();
  expect(read().includes("last")).toBe(false);
});

test("closing tries once more to write what an outage has kept back", async () => {
  const log = output(writer);
  closeSync(reader);
  log.write("one\n");
  log.write("two\n");
  expect(outages).toEqual([expect.stringContaining("EPIPE")]);
  reader = openSync(join(directory, "fifo"), O_RDWR | O_NONBLOCK);
  await log.close();
  expect(read()).toBe("one\ntwo\n");
  expect(recoveries).toEqual([{ error: expect.stringContaining("EPIPE"), droppedLines: 0 }]);
});

test.runIf(process.platform === "linux")(
  "a full disk is reported once and never throws",
  async () => {
    const full = openSync("/dev/full", "w");
    const log = output(full);
    log.write("one\n");
    log.write("two\n");
    expect(log.outage).toEqual({ error: expect.stringContaining("ENOSPC"), droppedLines: 0 });
    expect(outages).toEqual([expect.stringContaining("ENOSPC")]);
    await log.close();
    closeSync(full);
  },
);
