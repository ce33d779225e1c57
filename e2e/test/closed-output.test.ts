import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text as allOf } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { programEnvironment, programPath } from "@multipooler/pooler-process";
import { expect, test } from "vitest";
import { temporaryDirectory } from "./temporary-directory.ts";

const PGCTLD = fileURLToPath(
  new URL("dist/main.js", import.meta.resolve("@multipooler/pgctld-daemon/package.json")),
);

/** What a program ends with whose output has no reader any more. */
async function withoutReader(
  program: string,
  args: readonly string[],
): Promise<{ readonly code: unknown; readonly stderr: string }> {
  // The shell waits for a line, and so the program begins with a pipe that is closed already.
  const child = spawn(
    "sh",
    ["-c", 'read -r _ && exec "$0" "$@"', process.execPath, program, ...args],
    {
      env: programEnvironment(),
      stdio: ["pipe", "pipe", "pipe"],
    },
  );
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = once(child, "close");
  child.stdout.destroy();
  await once(child.stdout, "close");
  child.stdin.end("\n");
  const [code]: unknown[] = await ended;
  return { code, stderr };
}

const FULL = "ENOSPC: no space left on device, write";

/** What a program ends with that cannot write its output. */
async function ontoFullDisk(
  program: string,
  args: readonly string[],
): Promise<{ readonly code: unknown; readonly stderr: string }> {
  using full = openFull();
  const child = spawn(process.execPath, [program, ...args], {
    env: programEnvironment(),
    stdio: ["ignore", full.fd, "pipe"],
  });
  // It is piped, which the type of a child with an open file does not tell.
  const complaints = child.stderr === null ? "" : allOf(child.stderr);
  const [stderr, [code]] = await Promise.all([complaints, once(child, "close")]);
  return { code, stderr };
}

function openFull(): Disposable & { readonly fd: number } {
  const fd = openSync("/dev/full", "w");
  return { fd, [Symbol.dispose]: () => closeSync(fd) };
}

test.each([
  "--help",
  "--version",
  "ctl status --help",
  "settings",
  "settings --format json-schema",
  "completion bash",
  "check-config --all",
])("multipooler %s ends without a fault when its reader has gone", async (line) => {
  expect(await withoutReader(programPath(), line.split(" "))).toEqual({ code: 0, stderr: "" });
});

test
  .skipIf(process.platform !== "linux")
  .each(["--help", "settings", "completion bash", "check-config --all", "ctl status --help"])(
  "multipooler %s says in one line that the disk is full",
  async (line) => {
    const { code, stderr } = await ontoFullDisk(programPath(), line.split(" "));
    expect(stderr).toBe(`multipooler: the output cannot be written: ${FULL}\n`);
    expect(code).toBe(1);
  },
);

test.skipIf(process.platform !== "linux")(
  "pgctld says in one line that the disk is full",
  async () => {
    const { code, stderr } = await ontoFullDisk(PGCTLD, ["--help"]);
    expect(stderr).toBe(`pgctld: the output cannot be written: ${FULL}\n`);
    expect(code).toBe(1);
  },
);

test("import-pgbouncer ends without a fault when its reader has gone", async () => {
  await using directory = await temporaryDirectory();
  const ini = join(directory.path, "pgbouncer.ini");
  await writeFile(ini, "[databases]\napp = host=db1\n");
  const { code, stderr } = await withoutReader(programPath(), ["import-pgbouncer", ini]);
  expect(stderr).not.toContain("EPIPE");
  expect(code).toBe(0);
});

test("pgctld --help ends without a fault when its reader has gone", async () => {
  expect(await withoutReader(PGCTLD, ["--help"])).toEqual({ code: 0, stderr: "" });
});
