import { writeSync } from "node:fs";
import { CommanderError } from "commander";
import type { Command } from "commander";
import { commandLine } from "./cli.ts";
import type { CommandActions } from "./cli.ts";
import { acceptedFlags } from "./settings/accepted-flags.ts";
import {
  ConfigError,
  readSettingsFile,
  resolveConfig,
  resolveSettings,
} from "./settings/config.ts";
import type { ConfigSources } from "./settings/config.ts";
import { query } from "./ctl/query.ts";
import { drain, serveAgain } from "./ctl/serving-status.ts";
import { status } from "./ctl/status.ts";
import type { TopoOptions } from "./ctl/topo-command.ts";
import type { TopoArguments } from "./ctl/topo-commands.ts";
import { topoGet } from "./ctl/topo-get.ts";
import { topoInit } from "./ctl/topo-init.ts";
import { topoList } from "./ctl/topo-list.ts";
import { topoTree } from "./ctl/topo-tree.ts";
import { topoWatch } from "./ctl/topo-watch.ts";
import { Interruption } from "./interruption.ts";
import { openLog } from "./log/logger.ts";
import { serve } from "./serve.ts";
import type { GivenSettings } from "./settings/setting-options.ts";
import type { SignalGuard } from "./signal-guard.ts";
import { topologyTarget, topologyTargetSettings } from "./topology-target.ts";

/** Exit code for a wrong command line or setting; shells use the same. */
const EXIT_USAGE = 2;

/** Prints one line to standard error, if that is possible. */
function complain(line: string): void {
  try {
    writeSync(process.stderr.fd, `multipooler: ${line}\n`);
  } catch {
    // A full disk or a closed pipe must not end the process.
  }
}

const io = { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr, complain };

function sourcesOf({ flags, configFile }: GivenSettings): ConfigSources {
  const file = readSettingsFile(configFile);
  if (file.warning !== undefined) {
    complain(file.warning);
  }
  return { flags, env: process.env, file };
}

function topoOptions({ given, json }: TopoArguments): TopoOptions {
  const config = resolveSettings(topologyTargetSettings, sourcesOf(given));
  return { target: topologyTarget(config), json };
}

/** Runs the command of the command line and sets the exit code of the process. */
export async function runProgram(signals: SignalGuard): Promise<void> {
  process.stderr.on("error", () => undefined);
  try {
    await program(signals).parseAsync();
  } catch (error) {
    if (error instanceof ConfigError) {
      for (const problem of error.problems) {
        complain(problem);
      }
      process.exitCode = EXIT_USAGE;
    } else if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
    } else {
      throw error;
    }
  }
}

function program(signals: SignalGuard): Command {
  const actions: CommandActions = {
    serve: async (given) => {
      const sources = sourcesOf(given);
      const config = resolveConfig(sources);
      const inFile = acceptedFlags.filter((flag) => sources.file.values[flag] !== undefined);
      const accepted = [...new Set([...given.accepted, ...inFile])];
      await using log = openLog(config, complain);
      return await serve(config, {
        log,
        complain,
        signals,
        accepted,
        exit: (code) => process.exit(code),
      });
    },
    query: (sql, options) => query(sql, options, io),
    status: (options) => status(options, io),
    drain: (options) => drain(options, io),
    serveAgain: (options) => serveAgain(options, io),
    topo: {
      get: (what, options) => topoGet(what, topoOptions(options), io),
      list: (what, options) => topoList(what, topoOptions(options), io),
      watch: async (what, options) => {
        using interruption = new Interruption();
        return await topoWatch(what, topoOptions(options), io, interruption);
      },
      tree: (options) => topoTree(topoOptions(options), io),
      init: (options) => topoInit(topoOptions(options), io),
    },
  };
  const line = commandLine(actions, (code) => {
    process.exitCode = code;
  });
  line.commands
    .find((command) => command.name() === "ctl")
    ?.hook("preAction", () => signals.endOnHangup());
  return line;
}
