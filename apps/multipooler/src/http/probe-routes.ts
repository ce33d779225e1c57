import type { ManagerStatus } from "@multipooler/manager";
import type { EffectiveSetting } from "../settings/effective-settings.ts";
import { buildVersion } from "../version.ts";
import { FOR_ALL_ORIGINS, errorAnswer, jsonAnswer } from "./http-answer.ts";
import type { HttpAnswer } from "./http-answer.ts";
import { parseLagLimit } from "./lag-limit.ts";
import type { LagLimit } from "./lag-limit.ts";
import { readiness } from "./readiness.ts";
import type { ProcessState } from "./readiness.ts";
import type { Route, RouteRequest } from "./route.ts";
import { trafficRefusal } from "./traffic-check.ts";
import type { Traffic } from "./traffic-check.ts";

/** The text format of Prometheus. */
const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Patroni's paths by the traffic that load balancers send where they answer 200. */
const TRAFFIC: ReadonlyMap<string, Traffic> = new Map([
  ["/primary", "writes"],
  ["/master", "writes"],
  ["/leader", "writes"],
  ["/read-write", "writes"],
  ["/replica", "replicas"],
  ["/read-only", "reads"],
]);

/** What probes are answered from. All of it is in memory. */
export interface ProbeSources {
  readonly status: () => ManagerStatus;
  readonly process: () => ProcessState;
  /** What `/config` shows. */
  readonly settings: () => readonly EffectiveSetting[];
  /** The metrics, as Prometheus reads them. */
  readonly metrics: () => Promise<string>;
}

/**
 * What orchestrators, load balancers and Prometheus ask.
 *
 * | path                                             | answers 200                                         |
 * | ------------------------------------------------ | --------------------------------------------------- |
 * | `/live`, `/liveness`                             | as soon as the process listens                      |
 * | `/ready`, `/readiness`                           | if the pooler serves what its role allows, else 503 |
 * | `/health`                                        | if PostgreSQL answers, else 503                     |
 * | `/primary`, `/master`, `/leader`, `/read-write`  | if writes may be sent here, else 503                |
 * | `/replica`                                       | if this is a replica that serves, else 503          |
 * | `/read-only`                                     | if reads may be sent here, else 503                 |
 * | `/metrics`, `/config`, `/version`                | always                                              |
 *
 * `/replica` and `/read-only` take `lag`: how far behind a replica may be. 400 for one that is none.
 */
export function probeRoutes(sources: ProbeSources): [string, Route][] {
  const ready: Route = { type: "check", answer: () => readyAnswer(sources) };
  const live: Route = { type: "check", answer: () => jsonAnswer(200, { live: true }) };
  const traffic = [...TRAFFIC].map(([path, kind]): [string, Route] => [
    path,
    { type: "check", answer: (request) => trafficAnswer(sources, kind, request) },
  ]);
  return [
    ["/live", live],
    ["/liveness", live],
    ["/ready", ready],
    ["/readiness", ready],
    ["/health", { type: "check", answer: () => healthAnswer(sources) }],
    ...traffic,
    ["/metrics", { type: "page", answer: () => metricsAnswer(sources) }],
    // Not for pages of other origins.
    ["/config", page(() => jsonAnswer(200, { settings: sources.settings() }, {}))],
    ["/version", page(() => jsonAnswer(200, buildVersion))],
  ];
}

/** What `/primary` answers: Patroni does so at `/`, where some load balancers ask. */
export function primaryAnswer(sources: ProbeSources, request: RouteRequest): HttpAnswer {
  return trafficAnswer(sources, "writes", request);
}

function page(answer: () => HttpAnswer): Route {
  return { type: "page", answer };
}

function readyAnswer({ status, process }: ProbeSources): HttpAnswer {
  const { ready, details } = readiness(status(), process());
  return jsonAnswer(ready ? 200 : 503, { ready, ...details });
}

function healthAnswer({ status, process }: ProbeSources): HttpAnswer {
  const now = status();
  const healthy = now.database.reachable;
  const { details } = readiness(now, process());
  return jsonAnswer(healthy ? 200 : 503, { healthy, ...details });
}

function trafficAnswer(
  { status, process }: ProbeSources,
  traffic: Traffic,
  { query }: RouteRequest,
): HttpAnswer {
  const given = traffic === "writes" ? null : query.get("lag");
  const maxLag = given === null ? undefined : parseLagLimit(given);
  if (given !== null && maxLag === undefined) {
    return badLag(given);
  }
  const now = status();
  const refusal = trafficRefusal(now, { traffic, maxLag });
  const { details } = readiness(now, process());
  const lag = lagOf(now, maxLag);
  const body = { ...details, ...lag, takes: refusal === undefined, refusal };
  return jsonAnswer(refusal === undefined ? 200 : 503, body);
}

function badLag(given: string): HttpAnswer {
  return errorAnswer(400, {
    code: "BAD_LAG",
    error:
      `lag: ${JSON.stringify(given.slice(0, 100))} is no amount of WAL such as 1048576, 16kB, 10MB or 1GB, ` +
      "and no time such as 500ms, 10s or 2min",
  });
}

function lagOf({ heartbeat }: ManagerStatus, maxLag: LagLimit | undefined): object {
  return heartbeat.mode === "reader"
    ? { lag: { ms: heartbeat.lagMs, bytes: heartbeat.behindBytes, limit: maxLag } }
    : {};
}

async function metricsAnswer({ metrics }: ProbeSources): Promise<HttpAnswer> {
  try {
    const headers = { "content-type": METRICS_TYPE, ...FOR_ALL_ORIGINS };
    return { status: 200, body: await metrics(), headers };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return errorAnswer(500, { code: "METRICS_FAILED", error: why });
  }
}
