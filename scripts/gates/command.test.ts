import { expect, test } from "vitest";

import { command, mapLimited } from "./command.ts";

const here = { cwd: import.meta.dirname };
const node = (script: string, options = {}) =>
  command(process.execPath, ["-e", script], { ...here, ...options });

test("keeps both streams without colours", async () => {
  const script = 'console.log("\\x1b[31mred\\x1b[0m"); console.error("error");';
  expect(await node(script)).toEqual({ ok: true, output: "red\nerror" });
});

test("a code other than 0 is no success", async () => {
  expect(await node("process.exit(3)")).toMatchObject({ ok: false });
});

test("a program that does not exist is no success", async () => {
  const result = await command("no-such-program", [], here);
  expect(result).toMatchObject({ ok: false });
  expect(result.output).toContain("no-such-program");
});

test("a program that takes too long is ended", async () => {
  const result = await node("setInterval(() => undefined, 1000)", { timeoutMs: 200 });
  expect(result).toMatchObject({ ok: false });
  expect(result.output).toContain("SIGKILL");
});

test("`node` is the one that runs the gates", async () => {
  const result = await command("node", ["-p", "process.execPath"], here);
  expect(result).toEqual({ ok: true, output: process.execPath });
});

test("a program gets no input", async () => {
  const result = await node('process.stdin.on("end", () => console.log("end")).resume()');
  expect(result).toEqual({ ok: true, output: "end" });
});

test("maps a few at a time and keeps the order", async () => {
  let running = 0;
  let most = 0;
  const double = async (value: number): Promise<number> => {
    running += 1;
    most = Math.max(most, running);
    await new Promise(setImmediate);
    running -= 1;
    return value * 2;
  };
  expect(await mapLimited([1, 2, 3, 4, 5], 2, double)).toEqual([2, 4, 6, 8, 10]);
  expect(most).toBe(2);
});

test("mapping rejects with what one of the items rejected with", async () => {
  const fail = (): Promise<number> => Promise.reject(new Error("no"));
  await expect(mapLimited([1, 2], 2, fail)).rejects.toThrow("no");
});
