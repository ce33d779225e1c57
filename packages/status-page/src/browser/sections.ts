import type { ClientCounts, StatusReport } from "../report.ts";
import { bar, el } from "./dom.ts";
import type { Child } from "./dom.ts";
import { ago, bytes, count, duration } from "./format.ts";

/** A fact with its name and what is worth knowing beside it. */
interface Fact {
  readonly name: string;
  readonly value: string;
  readonly isBad?: boolean;
  readonly more: readonly Child[];
}

/** What one wants to know beside the status. */
export function facts(report: StatusReport): readonly Child[] {
  return [
    postgresFact(report),
    replicationFact(report),
    clientsFact(report),
    topologyFact(report),
    processFact(report),
  ].map(({ name, value, isBad = false, more }) =>
    el(
      "div",
      isBad ? "fact fact-bad" : "fact",
      el("h2", "", name),
      el("p", "fact-value", value),
      ...more,
    ),
  );
}

function postgresFact({ postgres }: StatusReport): Fact {
  const { address, reachable, error, version, inRecovery } = postgres;
  const { connectionsUsed: used, connectionsLimit: limit } = postgres;
  const kind = inRecovery === true ? "standby" : "primary";
  return {
    name: "PostgreSQL",
    value: reachable ? `${version ?? "?"}, ${kind}` : "does not answer",
    isBad: !reachable,
    more: [
      note(address),
      error === undefined ? undefined : el("p", "error", error),
      limit === 0 ? undefined : meter(used, limit, `${used} of ${limit} connections`),
    ],
  };
}

function replicationFact({ replication, postgres, at }: StatusReport): Fact {
  const { mode, lagMs, behindBytes, lastWrittenAt, error } = replication;
  const name = "Replication";
  const more = [error === undefined ? undefined : el("p", "error", error)];
  const isBad = error !== undefined;
  switch (mode) {
    case "off":
      return { name, value: postgres.reachable ? "no heartbeat" : "not known", isBad, more };
    case "writer":
      return {
        name,
        value: "writes heartbeats",
        isBad,
        more: [
          note(
            lastWrittenAt === undefined ? "none written yet" : `last ${ago(lastWrittenAt, at)} ago`,
          ),
          ...more,
        ],
      };
    case "reader":
      return {
        name,
        value: lagMs === undefined ? "lag not known" : `${duration(lagMs)} behind`,
        isBad,
        more: [
          behindBytes === undefined ? undefined : note(`${bytes(behindBytes)} of WAL to replay`),
          ...more,
        ],
      };
  }
}

function clientsFact({ clients }: StatusReport): Fact {
  const { grpc, postgres } = clients;
  const shown = postgres ?? grpc;
  return {
    name: "Clients",
    value: postgres === undefined ? `${count(grpc.open)} of gRPC` : count(postgres.open),
    more: [
      meter(shown.open, shown.limit, limitText(shown)),
      postgres === undefined ? undefined : note(`and ${count(grpc.open)} of gRPC`),
    ],
  };
}

function limitText({ limit, refused }: ClientCounts): string {
  const text = `of at most ${limit}`;
  return refused === 0 ? text : `${text}, ${count(refused)} turned away`;
}

function topologyFact({ topology, type }: StatusReport): Fact {
  const { implementation, registered, typeSource, ignoredType, error } = topology;
  return {
    name: "Topology",
    value: registered ? "registered" : "not registered",
    isBad: error !== undefined,
    more: [
      note(`in ${implementation}, as ${type}`),
      typeSource === "none" ? undefined : note(`known from the ${typeSource}`),
      ignoredType === undefined
        ? undefined
        : el("p", "error", `configured as ${ignoredType}, which does not count any more`),
      error === undefined ? undefined : el("p", "error", error),
    ],
  };
}

function processFact({ pooler, version, startedAt, at }: StatusReport): Fact {
  return {
    name: "Pooler",
    value: `${pooler.cell}/${pooler.name}`,
    more: [
      note(`${pooler.database} · ${pooler.tableGroup} · ${pooler.shard}`),
      note(`Multipooler ${version}, up ${ago(startedAt, at)}`),
    ],
  };
}

function note(text: string): HTMLElement {
  return el("p", "note", text);
}

function meter(value: number, limit: number, text: string): HTMLElement {
  return el("p", "note meter", bar(value, limit), text);
}
