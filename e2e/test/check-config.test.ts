import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runProgram, startPooler } from "@multipooler/pooler-process";
import { expect, test } from "vitest";
import { temporaryDirectory } from "./temporary-directory.ts";

test("check-config says what is set and where, and makes nothing", async () => {
  await using directory = await temporaryDirectory();
  const file = join(directory.path, "pooler.yaml");
  await writeFile(file, "cell: zone2\nconnpool-admin-password: hunter2\npg-databases: ['a*', b]\n");
  const { code, stdout, stderr } = await runProgram(
    ["check-config", "--config-file", file, "--pooler-dir", join(directory.path, "own"), "--json"],
    { env: { PGPORT: "5433" } },
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(JSON.parse(stdout)).toEqual([
    { name: "cell", value: "zone2", source: "file", from: `cell in ${file}` },
    {
      name: "pooler-dir",
      value: join(directory.path, "own"),
      source: "flag",
      from: "--pooler-dir",
    },
    { name: "pg-port", value: "5433", source: "environment", from: "PGPORT" },
    {
      name: "connpool-admin-password",
      value: "redacted",
      source: "file",
      from: `connpool-admin-password in ${file}`,
    },
    { name: "pg-databases", value: "a*,b", source: "file", from: `pg-databases in ${file}` },
  ]);
  expect(await readdir(directory.path)).toEqual(["pooler.yaml"]);
});

test("check-config and the log of a start name variables that are ignored", async () => {
  const env = { PGOPTIONS: "-c work_mem=1GB", MULTIPOOLER_OF_SOMETHING_ELSE_ALTOGETHER: "1" };
  const ignored = [
    "PGOPTIONS is ignored: clients bring the settings of their sessions along",
    "MULTIPOOLER_OF_SOMETHING_ELSE_ALTOGETHER is ignored: there is no such setting",
  ];
  const { code, stderr } = await runProgram(["check-config"], { env });
  expect(code).toBe(0);
  expect(stderr).toBe(ignored.map((line) => `multipooler: ${line}\n`).join(""));
  await using pooler = startPooler({ flags: {}, env });
  const line = await pooler.logged(({ msg }) => msg.startsWith("the environment has"));
  expect(line).toMatchObject({ level: 40, ignored });
});

test("check-config says under which name nobody would reach the pooler", async () => {
  const { code, stderr } = await runProgram(["check-config", "--hostname", "db1"]);
  expect(code).toBe(0);
  expect(stderr).toBe(
    "multipooler: gRPC listens on 127.0.0.1: nobody reaches it at db1, which the topology names (see --hostname, --grpc-bind-address)\n",
  );
});

test("import-pgbouncer writes a file that check-config takes, and lists the rest", async () => {
  await using directory = await temporaryDirectory();
  const ini = join(directory.path, "pgbouncer.ini");
  await writeFile(ini, "[databases]\napp = host=db1\n[pgbouncer]\npool_mode = session\n");
  const { code, stdout, stderr } = await runProgram(["import-pgbouncer", ini]);
  expect(code).toBe(0);
  expect(stderr).toContain(`multipooler: ${ini}:4: pool_mode: session has no counterpart`);
  const file = join(directory.path, "pooler.yaml");
  await writeFile(file, stdout);
  const checked = await runProgram(["check-config", "--config-file", file]);
  expect(checked).toMatchObject({ code: 0, stderr: "" });
  expect(checked.stdout).toMatch(/database +app +database in /);
  const absent = await runProgram(["import-pgbouncer", `${ini}.absent`]);
  expect(absent).toMatchObject({ code: 2, stdout: "" });
});

test("check-config tells of every fault, of settings that contradict each other too", async () => {
  await using directory = await temporaryDirectory();
  const file = join(directory.path, "pooler.yaml");
  await writeFile(file, "connpool-global-capacty: 5\n");
  const wrong = await runProgram(["check-config", "--config-file", file], {
    env: { MULTIPOOLER_GRPC_PROT: "1" },
  });
  expect(wrong).toMatchObject({ code: 2, stdout: "" });
  expect(wrong.stderr.trimEnd().split("\n")).toEqual([
    `multipooler: connpool-global-capacty in ${file}:1: there is no such setting; did you mean connpool-global-capacity?`,
    "multipooler: MULTIPOOLER_GRPC_PROT: there is no such setting; did you mean MULTIPOOLER_GRPC_PORT?",
  ]);
  const ownDirectory = await runProgram(["check-config", "--pooler-dir", file]);
  expect(ownDirectory).toMatchObject({
    code: 2,
    stderr: `multipooler: --pooler-dir: ${file}: is not a directory\n`,
  });
  const files = [
    [["--grpc-cert", file, "--grpc-key", file], "--grpc-cert, --grpc-key: certificates in "],
    [["--pg-tls-cert-file", file, "--pg-tls-key-file", file], "--pg-tls-*: certificates in "],
    [["--grpc-manager-token-file", file], `--grpc-manager-token-file: ${file} must hold from 1 `],
  ] as const;
  for (const [flags, fault] of files) {
    const { code, stderr } = await runProgram(["check-config", ...flags]);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining(`multipooler: ${fault}`),
    });
  }
  const contradiction = await runProgram(["check-config", "--grpc-cert", "/nowhere.pem"]);
  expect(contradiction).toMatchObject({
    code: 2,
    stderr: "multipooler: --grpc-cert needs --grpc-key\n",
  });
});
