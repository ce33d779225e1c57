import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "@multipooler/grpc-services/client";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { parse } from "yaml";
import * as z from "zod";
import { ClientPooler } from "./client-pooler.ts";
import { FEW_NOTIFICATION_BYTES, dropNotifications, failDial } from "./rare-events.ts";
import { servingPooler } from "./serving-pooler.ts";

const DEPLOY = join(import.meta.dirname, "..", "..", "deploy");
const WITHIN = { timeout: 20_000 };
/** As `SetServingStatus` has them. */
const SERVING = 1;
const DRAINED = 3;

/** Prometheus' own. */
const FOREIGN = new Set(["up"]);

/** The labels of the samples of a metric. */
type Exported = ReadonlyMap<string, ReadonlySet<string>>;

let scene: ClientPooler;
const exported = new Map<string, Set<string>>();

beforeAll(async () => {
  scene = await ClientPooler.start({
    "connpool-global-capacity": "4",
    "max-notification-bytes": FEW_NOTIFICATION_BYTES,
  });
  const { postgres } = scene;
  await using replica = await servingPooler(postgres, {
    "initial-pooler-type": "replica",
    "service-id": "replica",
    "connpool-admin-password": postgres.password,
  });
  using caller = connect({ address: await scene.pooler.grpc() });
  await caller
    .getAuthCredentials({ database: "postgres", username: "nobody" })
    .catch(() => undefined);
  const listener = await scene.connect();
  listener.on("error", () => undefined);
  await listener.query("select 1 / 0").catch(() => undefined);
  await listener.query("listen a");
  await postgres.sql(
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name like '% listen'",
  );
  await noted(replica.http(), "mg_pooler_replication_lag_seconds");
  const reservationOptions = { reasons: 1 };
  const call = caller.streamExecute({ query: "select 1", reservationOptions });
  for await (const { reservedState } of call) {
    const reservedConnectionId = reservedState?.reservedConnectionId;
    if (reservedConnectionId !== undefined && reservedConnectionId !== 0n) {
      await caller.releaseReservedConnection({ options: { reservedConnectionId } });
    }
  }
  await dropNotifications(caller, await scene.pooler.http()).catch(() => undefined);
  await failDial(scene).catch(() => undefined);
  await caller.setServingStatus({ status: DRAINED, wait: true });
  await caller.setServingStatus({ status: SERVING, wait: true });
  await note(scene.pooler.http());
}, 120_000);

afterAll(async () => {
  await scene?.[Symbol.asyncDispose]();
});

/** Scrapes, and returns the names of all metrics so far. */
async function note(http: Promise<string>): Promise<string[]> {
  const response = await fetch(`${await http}/metrics`);
  for (const line of (await response.text()).split("\n")) {
    const [, name, labels = ""] = /^(\w+)(?:\{(.*)\})? /.exec(line) ?? [];
    if (name !== undefined) {
      const known = exported.get(name) ?? new Set();
      for (const [, label] of labels.matchAll(/(\w+)="/g)) {
        known.add(label ?? "");
      }
      exported.set(name, known);
    }
  }
  return [...exported.keys()];
}

/** Resolves when this pooler, or one before it, has exported the metric. */
async function noted(http: Promise<string>, name: string): Promise<void> {
  await vi.waitFor(async () => expect(await note(http)).toContain(name), WITHIN);
}

const WORDS = new Set([
  "sum",
  "count",
  "group",
  "max",
  "min",
  "by",
  "rate",
  "increase",
  "absent",
  "min_over_time",
  "histogram_quantile",
  "and",
  "or",
  "unless",
]);
/** Set by Prometheus, or by the function that is applied. */
const FOREIGN_LABELS = new Set(["job", "instance", "le"]);

/** What a query in PromQL names that is not exported. */
function faultsOf(query: string, known: Exported): string[] {
  const bare = query.replaceAll(/"[^"]*"/g, '""').replaceAll(/\[[^\]]*\]/g, "");
  const grouped = [...bare.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, labels = ""]) =>
    labels.split(/,\s*/),
  );
  const selected = [...bare.matchAll(/(\w+)\{([^}]*)\}/g)].flatMap(([, name = "", matchers = ""]) =>
    [...matchers.matchAll(/(\w+)\s*[=!]/g)].map(([, label = ""]) => ({ name, label })),
  );
  const names = [
    ...bare
      .replaceAll(/\bby \([^)]*\)/g, "")
      .replaceAll(/\{[^}]*\}/g, "")
      .matchAll(/[a-z_]\w+/gi),
  ]
    .map(([name]) => name)
    .filter((name) => !WORDS.has(name) && !FOREIGN.has(name));
  const ofAll = new Set(names.flatMap((name) => [...(known.get(name) ?? [])]));
  return [
    ...names.filter((name) => !known.has(name)),
    ...grouped
      .filter((label) => !FOREIGN_LABELS.has(label) && !ofAll.has(label))
      .map((label) => `by (${label})`),
    ...selected
      .filter(
        ({ name, label }) => !FOREIGN_LABELS.has(label) && known.get(name)?.has(label) !== true,
      )
      .map(({ name, label }) => `${name}{${label}}`),
  ];
}

test("a query that names something else is found out", () => {
  expect(faultsOf('sum by (pool) (rate(mg_pooler_up{rule="x"}[5m])) > mg_none', exported)).toEqual([
    "mg_none",
    "by (pool)",
    "mg_pooler_up{rule}",
  ]);
});

const dashboard = z.object({
  panels: z.array(
    z.object({
      id: z.number(),
      title: z.string(),
      gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
      targets: z.array(z.object({ expr: z.string() })).optional(),
    }),
  ),
});

test("the dashboard shows what is exported, and no panel lies on another", () => {
  const { panels } = dashboard.parse(
    JSON.parse(readFileSync(join(DEPLOY, "grafana", "multipooler.json"), "utf8")),
  );
  const faults = panels.flatMap(({ title, targets = [] }) =>
    targets.flatMap(({ expr }) => faultsOf(expr, exported).map((fault) => `${title}: ${fault}`)),
  );
  expect(faults).toEqual([]);
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
});

const rules = z.object({
  groups: z.array(
    z.object({
      name: z.string(),
      rules: z.array(
        z.object({
          alert: z.string(),
          expr: z.string(),
          for: z.string().optional(),
          labels: z.object({ severity: z.enum(["critical", "warning", "info"]) }),
          annotations: z.object({ summary: z.string(), description: z.string() }),
        }),
      ),
    }),
  ),
});

test("the alerts fire when they should, and else do not", ({ skip }) => {
  const { error, status, stdout, stderr } = spawnSync(
    "promtool",
    ["test", "rules", join(DEPLOY, "prometheus", "alerts.test.yaml")],
    { encoding: "utf8" },
  );
  skip(error !== undefined, "there is no promtool");
  expect(status, `${stdout}${stderr}`).toBe(0);
});

test("the alerts watch what is exported, and say what to do", () => {
  const all = rules
    .parse(parse(readFileSync(join(DEPLOY, "prometheus", "alerts.yaml"), "utf8")))
    .groups.flatMap((group) => group.rules);
  const faults = all.flatMap(({ alert, expr }) =>
    faultsOf(expr, exported).map((fault) => `${alert}: ${fault}`),
  );
  expect(faults).toEqual([]);
  expect(new Set(all.map(({ alert }) => alert)).size).toBe(all.length);
});
