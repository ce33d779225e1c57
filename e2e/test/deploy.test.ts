import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runProgram } from "@multipooler/pooler-process";
import { beforeAll, describe, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import * as z from "zod";
import type { Run } from "./read-only-machine.ts";
import { readOnlyMachine } from "./read-only-machine.ts";

const DEPLOY = join(import.meta.dirname, "..", "..", "deploy");

function read(name: string): string {
  return readFileSync(join(DEPLOY, name), "utf8");
}

const schema = z.object({ properties: z.record(z.string(), z.unknown()) });
let settings: ReadonlySet<string>;

beforeAll(async () => {
  const { stdout } = await runProgram(["settings", "--format", "json-schema"]);
  settings = new Set(Object.keys(schema.parse(JSON.parse(stdout)).properties));
});

/** The names of flags and variables in a text that are no settings. */
function unknownSettings(text: string): string[] {
  const flags = [...text.matchAll(/(?<![\w-])--([a-z][a-z-]+)/g)].map(([, flag]) => flag ?? "");
  const variables = [...text.matchAll(/\bMULTIPOOLER_([A-Z_]+)\b/g)].map(([, name]) =>
    (name ?? "").toLowerCase().replaceAll("_", "-"),
  );
  return [...flags, ...variables].filter((name) => name !== "config-file" && !settings.has(name));
}

const STARTED: Run = { live: 200, keepsTopology: true, exit: { code: 0, signal: null } };

/** The flags of a command line of which each has a value. */
function flagsOf(line: string): Record<string, string> {
  return entriesOf(line.matchAll(/--([\w-]+) (\S+)/g));
}

/** Names and values that a pattern with two groups has found. */
function entriesOf(found: Iterable<RegExpExecArray>): Record<string, string> {
  return Object.fromEntries([...found].map(([, name = "", value = ""]) => [name, value]));
}

/** "1m30s" and its like in seconds. */
function seconds(text: string): number {
  const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };
  return [...text.matchAll(/(\d+)([smh])/g)].reduce(
    (sum, [, amount, unit]) => sum + Number(amount) * (units[unit ?? ""] ?? Number.NaN),
    0,
  );
}

describe("the unit of systemd", () => {
  const unit = read("systemd/multipooler.service");

  test("starts and checks the program with settings that there are", () => {
    const lines = unit.split("\n").filter((line) => /^Exec(Start|StartPre)=/.test(line));
    expect(lines).toHaveLength(2);
    expect(lines.flatMap(unknownSettings)).toEqual([]);
  });

  test("starts the program where nothing but its state directory can be written", async () => {
    await using machine = await readOnlyMachine();
    const [, start = ""] = /^ExecStart=\S+ (.*)$/m.exec(unit) ?? [];
    const variables = machine.mapped(unit).matchAll(/^Environment=(\w+)=(.*)$/gm);
    await machine.write("/etc/multipooler/multipooler.yaml", "database: postgres\n");
    expect(
      await machine.run({ flags: flagsOf(machine.mapped(start)), env: entriesOf(variables) }),
    ).toEqual(STARTED);
  });

  test("waits longer for a stop than the program takes by default", () => {
    const [, limit = ""] = /^TimeoutStopSec=(\w+)$/m.exec(unit) ?? [];
    expect(seconds(limit)).toBeGreaterThan(5 + 30 + 10);
  });

  test("is one that systemd understands", ({ skip }) => {
    const { error, status, stdout, stderr } = spawnSync(
      "systemd-analyze",
      ["verify", join(DEPLOY, "systemd", "multipooler.service")],
      { encoding: "utf8" },
    );
    skip(error !== undefined, "there is no systemd-analyze");
    // The program and the man page are not installed here.
    const complaints = `${stdout}${stderr}`
      .split("\n")
      .filter((line) => line.includes("multipooler.service"))
      .filter((line) => !/is not executable|Failed to create .*: Unit .* not found/.test(line));
    expect(complaints).toEqual([]);
    expect(status).not.toBeNull();
  });
});

const resource = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
  data: z.record(z.string(), z.string()).optional(),
  spec: z.looseObject({}).optional(),
});
const probe = z.object({ httpGet: z.object({ path: z.string(), port: z.string() }) });
const container = z.looseObject({
  name: z.string(),
  args: z.array(z.string()).optional(),
  ports: z.array(z.object({ name: z.string(), containerPort: z.number() })).optional(),
  env: z.array(z.object({ name: z.string() })).optional(),
});
const pod = z.looseObject({
  terminationGracePeriodSeconds: z.number(),
  initContainers: z.array(container),
  containers: z.array(container),
});
const pooler = container.extend({
  startupProbe: probe,
  livenessProbe: probe,
  readinessProbe: probe,
  lifecycle: z.object({ preStop: z.object({ sleep: z.object({ seconds: z.number() }) }) }),
});

describe("the manifests for Kubernetes", () => {
  const text = read("kubernetes/multipooler.yaml");
  const documents = parseAllDocuments(text);
  const resources = documents.map((document) => resource.parse(document.toJS()));
  const of = (kind: string): z.infer<typeof resource> => {
    const found = resources.find((one) => one.kind === kind);
    expect(found, kind).toBeDefined();
    return resource.parse(found);
  };
  const stateful = z.object({ template: z.object({ spec: pod }) }).parse(of("StatefulSet").spec)
    .template.spec;
  const main = pooler.parse(stateful.containers[0]);
  const config = z
    .record(z.string(), z.union([z.string(), z.number()]))
    .parse(parse(of("ConfigMap").data?.["multipooler.yaml"] ?? ""));

  test("are YAML without a fault", () => {
    expect(documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])).toEqual([]);
    expect(resources.map(({ kind }) => kind)).toEqual([
      "ConfigMap",
      "StatefulSet",
      "Service",
      "Service",
      "NetworkPolicy",
      "PodDisruptionBudget",
    ]);
  });

  test("name settings that there are", () => {
    expect(Object.keys(config).filter((name) => !settings.has(name))).toEqual([]);
    expect(unknownSettings(text).filter((name) => name !== "username")).toEqual([]);
  });

  test("open the ports that the pooler listens on", () => {
    expect(
      Object.fromEntries((main.ports ?? []).map((one) => [one.name, one.containerPort])),
    ).toEqual({
      postgres: config["pg-listen-port"],
      http: config["http-port"],
    });
  });

  test("name a headless Service for the pods", () => {
    const { serviceName } = z.object({ serviceName: z.string() }).parse(of("StatefulSet").spec);
    const headless = resources.find(({ metadata }) => metadata.name === serviceName);
    expect(headless).toMatchObject({ kind: "Service", spec: { clusterIP: "None" } });
  });

  test("start the program where nothing but the volumes can be written", async () => {
    await using machine = await readOnlyMachine();
    const file = of("ConfigMap").data?.["multipooler.yaml"] ?? "";
    await machine.write("/etc/multipooler/multipooler.yaml", machine.mapped(file));
    await machine.write("/etc/postgres-secret/password", "secret");
    expect(
      await machine.run({ flags: flagsOf(machine.mapped((main.args ?? []).join(" "))) }),
    ).toEqual(STARTED);
  });

  test("offer no gRPC beyond the pod, where it would need no credentials", () => {
    expect(config["grpc-bind-address"]).toBe("127.0.0.1");
  });

  test("tell others no name under which nobody reaches the pooler", async () => {
    await using machine = await readOnlyMachine();
    const file = "/etc/multipooler/multipooler.yaml";
    await machine.write(file, machine.mapped(of("ConfigMap").data?.["multipooler.yaml"] ?? ""));
    await machine.write("/etc/postgres-secret/password", "secret");
    const env = Object.fromEntries((main.env ?? []).map(({ name }) => [name, "postgres-0"]));
    expect(
      await runProgram(["check-config", "--config-file", machine.mapped(file)], { env }),
    ).toMatchObject({ code: 0, stderr: "" });
  });

  test("give the pooler the time to stop before PostgreSQL, and PostgreSQL some after it", () => {
    const own = ["lameduck", "onterm-timeout", "onclose-timeout"]
      .map((name) => seconds(String(config[name])))
      .reduce((sum, one) => sum + one, main.lifecycle.preStop.sleep.seconds);
    expect(stateful.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(own + 30);
    expect(stateful.initContainers.map(({ name }) => name)).toEqual(["postgres"]);
  });

  test("do not restart a pooler because PostgreSQL is away", () => {
    expect(main.livenessProbe.httpGet).toEqual({ path: "/live", port: "http" });
    expect(main.readinessProbe.httpGet).toEqual({ path: "/ready", port: "http" });
  });
});

test("the image starts the program where nothing but its volume can be written", async () => {
  await using machine = await readOnlyMachine();
  const [variables = ""] = /^ENV (?:.*\\\n)*.*$/m.exec(read("container/Dockerfile")) ?? [];
  const env = entriesOf(machine.mapped(variables).matchAll(/(\w+)=(\S+)/g));
  expect(env).not.toHaveProperty("MULTIPOOLER_GRPC_BIND_ADDRESS");
  expect(await machine.run({ env })).toEqual(STARTED);
});

test("the image sets variables that there are", () => {
  expect(unknownSettings(read("container/Dockerfile").replaceAll(/^RUN .*$/gm, ""))).toEqual([
    "build-arg",
  ]);
});
