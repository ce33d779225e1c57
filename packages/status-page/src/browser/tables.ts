import type { HolderRow, PeerRow, PoolRow, StatusReport, TransitionRow } from "../report.ts";
import { bar, el } from "./dom.ts";
import type { Child } from "./dom.ts";
import { ago, clockTime, count, duration } from "./format.ts";

/** A column: its title, and what it shows of a row. */
interface Column<Row> {
  readonly title: string;
  readonly isNumber?: boolean;
  readonly cell: (row: Row) => Child;
}

function table<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  classOf: (row: Row) => string = () => "",
): HTMLElement {
  const head = columns.map(({ title, isNumber }) =>
    el("th", isNumber === true ? "number" : "", title),
  );
  const body = rows.map((row) =>
    el(
      "tr",
      classOf(row),
      ...columns.map(({ title, isNumber, cell }) => {
        const shown = el("td", isNumber === true ? "number" : "", cell(row));
        // On a narrow screen each row is a list, with its titles.
        shown.dataset["title"] = title;
        return shown;
      }),
    ),
  );
  return el("table", "", el("thead", "", el("tr", "", ...head)), el("tbody", "", ...body));
}

function nothing(text: string): HTMLElement {
  return el("p", "nothing", text);
}

const POOL_COLUMNS: readonly Column<PoolRow>[] = [
  { title: "Database", cell: ({ database }) => database },
  { title: "User", cell: ({ user }) => user },
  { title: "In use", cell: usage },
  { title: "Idle", isNumber: true, cell: ({ idle }) => String(idle) },
  { title: "Opening", isNumber: true, cell: ({ dials, tested }) => String(dials + tested) },
  { title: "Limit", isNumber: true, cell: ({ limit }) => String(limit) },
  { title: "Reserved", isNumber: true, cell: ({ reservations }) => String(reservations) },
  { title: "Waiting", isNumber: true, cell: ({ waiting }) => count(waiting) },
  {
    title: "Longest wait",
    isNumber: true,
    cell: ({ waiting, longestWaitMs }) => (waiting === 0 ? "–" : duration(longestWaitMs)),
  },
];

function usage({ used, limit }: PoolRow): HTMLElement {
  return el("span", "meter", bar(used, limit), String(used));
}

/** Pools, those that are waited for first. */
export function pools({ pools: rows, morePools }: StatusReport): readonly Child[] {
  return rows.length === 0
    ? [nothing("No connections: nobody has asked for one yet.")]
    : [
        table(POOL_COLUMNS, rows, ({ waiting }) => (waiting > 0 ? "warn" : "")),
        more(morePools, "pools"),
      ];
}

const HOLDER_COLUMNS: readonly Column<HolderRow>[] = [
  { title: "Who", cell: ({ who, address }) => el("span", "", who, el("em", "", ` ${address}`)) },
  {
    title: "User",
    cell: ({ user, database, application }) =>
      el("span", "", `${user}@${database}`, el("em", "", ` ${application}`)),
  },
  { title: "Why", cell: ({ why }) => why },
  { title: "For", isNumber: true, cell: ({ forMs }) => duration(forMs) },
];

/** Who has a connection, longest first. */
export function holders({ holders: rows, moreHolders }: StatusReport): readonly Child[] {
  return rows.length === 0
    ? [nothing("Nobody.")]
    : [table(HOLDER_COLUMNS, rows), more(moreHolders, "of them")];
}

function more(rest: number, what: string): Child {
  return rest === 0 ? undefined : nothing(`and ${count(rest)} more ${what}`);
}

/** The last changes of the serving status, latest first. */
export function transitions({ transitions: rows, at }: StatusReport): readonly Child[] {
  const columns: readonly Column<TransitionRow>[] = [
    { title: "When", cell: ({ startedAt }) => clockTime(startedAt, at) },
    { title: "From", cell: ({ from }) => from },
    { title: "To", cell: ({ to }) => to },
    { title: "Outcome", cell: outcome },
    { title: "Took", isNumber: true, cell: ({ durationMs }) => duration(durationMs) },
    { title: "Why", cell: ({ reason, error }) => el("span", "", reason, errorText(error)) },
  ];
  return rows.length === 0
    ? [nothing("None since the start.")]
    : [table(columns, rows, (row) => (row.outcome === "running" ? "warn" : ""))];
}

function outcome({ outcome: word, attempts }: TransitionRow): string {
  return attempts > 1 ? `${word}, ${attempts} attempts` : word;
}

function errorText(error: string | undefined): Child {
  return error === undefined ? undefined : el("span", "error", ` ${error}`);
}

/** The poolers of the shard. */
export function peers({ topology, current, at }: StatusReport): readonly Child[] {
  const columns: readonly Column<PeerRow>[] = [
    {
      title: "Pooler",
      cell: ({ name, isSelf }) =>
        el("span", "", name, isSelf ? el("em", "", " this one") : undefined),
    },
    { title: "Type", cell: ({ type }) => type },
    // The record of this one is a few seconds behind what the page says above.
    { title: "Serving", cell: ({ serving, isSelf }) => (isSelf ? current.status : serving) },
    { title: "Lifecycle", cell: ({ lifecycle }) => lifecycle },
    {
      title: "Since",
      cell: ({ since }) => (since === undefined ? "–" : `${ago(since, at)} ago`),
    },
    { title: "gRPC address", cell: ({ address }) => address },
  ];
  const { peers: rows, peersError } = topology;
  const failure = peersError && el("p", "error", `They could not be read: ${peersError}`);
  if (rows === undefined) {
    return [failure ?? nothing("Not read yet.")];
  }
  return [
    failure,
    rows.length === 0
      ? nothing("The topology has no pooler of this shard.")
      : table(columns, rows, ({ isSelf }) => (isSelf ? "self" : "")),
  ];
}
