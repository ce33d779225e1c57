import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { runProcess, signalRelay } from "./process.mjs";

const collect = { env: process.env, stdio: "collect" } as const;

test("gathers what a program prints and gives its exit code", async () => {
  const script = "console.log('out'); console.error('err'); process.exitCode = 7";
  const end = await runProcess(process.execPath, ["-e", script], collect);
  expect(end).toMatchObject({ code: 7, interrupted: undefined });
  expect(end.output.split("\n").toSorted()).toEqual(["", "err", "out"]);
});

test("gives the end by a signal as shells do", async () => {
  const script = "process.kill(process.pid, 'SIGKILL')";
  const end = await runProcess(process.execPath, ["-e", script], collect);
  expect(end.code).toBe(128 + 9);
});

test("rejects when there is no such program, and listens to no signal afterwards", async () => {
  const before = process.listenerCount("SIGINT");
  await expect(runProcess("/does/not/exist", [], collect)).rejects.toMatchObject({
    code: "ENOENT",
  });
  expect(process.listenerCount("SIGINT")).toBe(before);
});

test("takes the same signal within a moment for one", () => {
  const sent: string[] = [];
  let now = 1000;
  const relay = signalRelay(
    (signal) => sent.push(signal),
    () => now,
  );
  relay("SIGINT");
  now += 100;
  relay("SIGINT");
  relay("SIGTERM");
  now += 301;
  relay("SIGINT");
  expect(sent).toEqual(["SIGINT", "SIGTERM", "SIGINT"]);
});

test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
  "passes %s to a foreground program once and waits for its own end",
  async (signal) => {
    const program = `
      let signals = 0;
      process.on("${signal}", () => {
        signals += 1;
        if (signals === 1) setTimeout(() => process.exit(signals), 50);
      });
      console.log("ready");
      setInterval(() => {}, 1000);
    `;
    const script = `
      import { runProcess } from ${JSON.stringify(new URL("process.mjs", import.meta.url).href)};
      const options = { env: process.env, stdio: "inherit" };
      const end = await runProcess(process.execPath, ["-e", ${JSON.stringify(program)}], options);
      process.exitCode = 10 + end.code;
    `;
    // In a process group of its own, to which the signal goes as a terminal sends it.
    const relaying = spawn(process.execPath, ["--input-type=module", "-e", script], {
      detached: true,
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(createInterface({ input: relaying.stdout }), "line");
    process.kill(-(relaying.pid ?? 0), signal);
    relaying.kill(signal);
    const [code] = await once(relaying, "close");
    expect(code).toBe(11);
  },
);
