import type { Command } from "commander";
import { addSettings, givenSettings } from "../settings/setting-options.ts";
import type { GivenSettings } from "../settings/setting-options.ts";
import { topologyTargetSettings } from "../topology-target.ts";
import { withExplain } from "./explanation.ts";
import { withWatch } from "./watch-options.ts";
import type { WatchOptions } from "./watch-options.ts";

export interface TopoArguments {
  readonly given: GivenSettings;
  readonly json: boolean;
}

/** The implementations of the `ctl topo` commands; each resolves with the exit code. */
export interface TopoActions {
  get(what: string, options: TopoArguments): Promise<number>;
  list(what: string | undefined, options: ViewArguments): Promise<number>;
  watch(what: string | undefined, options: TopoArguments): Promise<number>;
  tree(options: ViewArguments): Promise<number>;
  init(options: ChangeArguments): Promise<number>;
  delete(what: string, options: DeleteArguments): Promise<number>;
}

/** A command that shows what changes by itself. */
export type ViewArguments = TopoArguments & Pick<WatchOptions, "watch" | "interval">;

/** A command that changes the topology. */
export interface ChangeArguments extends TopoArguments {
  readonly explain: boolean;
}

export interface DeleteArguments extends ChangeArguments {
  /** Why a record is deleted that is in use. */
  readonly force: string | undefined;
}

type Options = Readonly<Record<string, unknown>>;

/** Declares the `ctl topo` commands with their help and flags. */
export function addTopoCommands(
  ctl: Command,
  actions: TopoActions,
  exit: (code: number) => void,
): void {
  const topo = ctl
    .command("topo")
    .description("Inspect the topology and clear it up. Needs only its store, no running pooler.");
  command(topo, "get", "Print one record, field by field.")
    .argument(
      "<record>",
      "a key, or kind and name: cell/zone1, database/postgres, shard/postgres/default/0-inf, pooler/zone1/a",
    )
    .action(async (what: string, options: Options) =>
      exit(await actions.get(what, parse(options))),
    );
  view(topo, "list", "Print records as a table.")
    .argument("[what]", "cell, database, shard or pooler, or a prefix of keys; all by default")
    .action(async (what: string | undefined, options: Options) =>
      exit(await actions.list(what, parseView(options))),
    );
  command(topo, "watch", "Print the current records, then every change, until Ctrl-C.")
    .argument("[kind]", "cell, database, shard or pooler; all by default")
    .action(async (what: string | undefined, options: Options) =>
      exit(await actions.watch(what, parse(options))),
    );
  view(topo, "tree", "Print the whole topology as a tree.").action(async (options: Options) =>
    exit(await actions.tree(parseView(options))),
  );
  change(topo, "delete", "Delete one record that nobody uses any more.")
    .argument(
      "<record>",
      "a key, or kind and name, as for get; a shard whose record is gone starts over",
    )
    .option(
      "--force <reason>",
      "delete it although it is in use; a pooler that runs writes it again",
    )
    .action(async (what: string, options: Options) =>
      exit(await actions.delete(what, { ...parseChange(options), force: reasonOf(options) })),
    );
  change(
    topo,
    "init",
    "Create the record of the cell (--cell) if it does not exist. A pooler does so at its start too.",
  ).action(async (options: Options) => exit(await actions.init(parseChange(options))));
}

function command(topo: Command, name: string, description: string): Command {
  const json = name === "watch" ? "print one JSON object a line" : "print one JSON document";
  return addSettings(
    topo.command(name).description(description).option("--json", json),
    topologyTargetSettings,
  );
}

function view(topo: Command, name: string, description: string): Command {
  return addSettings(
    withWatch(topo.command(name).description(description)),
    topologyTargetSettings,
  );
}

function change(topo: Command, name: string, description: string): Command {
  return withExplain(command(topo, name, description));
}

function parseView(options: Options): ViewArguments {
  const { watch, interval } = options;
  return { ...parse(options), watch: watch === true, interval: String(interval) };
}

function parseChange(options: Options): ChangeArguments {
  return { ...parse(options), explain: options["explain"] === true };
}

function reasonOf({ force }: Options): string | undefined {
  return typeof force === "string" ? force : undefined;
}

function parse(options: Options): TopoArguments {
  return {
    given: givenSettings(topologyTargetSettings, options),
    json: options["json"] === true,
  };
}
