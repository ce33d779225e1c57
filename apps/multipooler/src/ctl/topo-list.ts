import type { Interruption } from "../interruption.ts";
import { ConfigError } from "../settings/config.ts";
import type { TopoIo } from "./topo-command.ts";
import { resultPrinter } from "./result-format.ts";
import type { Column } from "./result-format.ts";
import { listTopology, recordsOf } from "./topo-listing.ts";
import { kindNamed } from "./topo-name.ts";
import { recordJson, TOPO_KINDS } from "./topo-record.ts";
import type { TopoKind, TopoRecord } from "./topo-record.ts";
import { recordSummary, summaryColumns, summaryRow } from "./topo-summary.ts";
import { showTopology } from "./topo-view.ts";
import type { TopoViewOptions } from "./topo-view.ts";

/** Selects the records of one kind, or all whose keys begin with a prefix. */
type Selection =
  | { readonly type: "kind"; readonly kind: TopoKind }
  | { readonly type: "prefix"; readonly prefix: string };

/** `ctl topo list`: prints records as a table. Resolves with the exit code. */
export async function topoList(
  what: string | undefined,
  options: TopoViewOptions,
  io: TopoIo,
  interruption: Pick<Interruption, "signal">,
): Promise<number> {
  const selection = parseSelection(what ?? "");
  const kinds = selection.type === "kind" ? [selection.kind] : TOPO_KINDS;
  const prefix = selection.type === "kind" ? "" : selection.prefix;
  return await showTopology(options, io, interruption, async ({ topology }) => {
    const listing = await listTopology(topology, kinds);
    const records = recordsOf(listing, kinds).filter(({ key }) => key.startsWith(prefix));
    const { errors } = listing;
    return { text: recordTable(records, selection), json: records.map(recordJson), errors };
  });
}

function parseSelection(what: string): Selection {
  const kind = kindNamed(what);
  if (kind !== undefined) {
    return { type: "kind", kind };
  }
  if (what === "" || what.includes("/")) {
    return { type: "prefix", prefix: what };
  }
  throw new ConfigError([
    `${JSON.stringify(what)} is no kind of record (${TOPO_KINDS.join(", ")}) and no prefix of a key`,
  ]);
}

const KEY_COLUMNS: readonly Column[] = [
  { name: "key", numeric: false },
  { name: "version", numeric: true },
  { name: "record", numeric: false },
];

function recordTable(records: readonly TopoRecord[], selection: Selection): string {
  const printer = resultPrinter("table", { isTerminal: true });
  const rows =
    selection.type === "kind"
      ? records.map(summaryRow)
      : records.map((entry) => [entry.key, String(entry.version), recordSummary(entry)]);
  const columns = selection.type === "kind" ? summaryColumns[selection.kind] : KEY_COLUMNS;
  return printer.begin(columns) + printer.rows(rows) + printer.end(records.length);
}
