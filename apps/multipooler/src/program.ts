import { CommanderError } from "commander";
import type { Command } from "commander";
import { commandLine } from "./cli.ts";
import type { CommandActions } from "./cli.ts";
import { complain } from "./complain.ts";
import { acceptedFlags } from "./settings/accepted-flags.ts";
import {
  ConfigError,
  ignoredGivens,
  readSettingsFile,
  resolveConfig,
  resolveSettings,
  withService,
} from "./settings/config.ts";
import type { ConfigSources } from "./settings/setting-source.ts";
import type { ActivityActions } from "./ctl/activity-commands.ts";
import type { PromotionActions } from "./ctl/promotion-commands.ts";
import type { ReplicationActions } from "./ctl/replication-commands.ts";
import { Output, OutputClosed, OutputFailed } from "./ctl/output.ts";
import type { TopoOptions } from "./ctl/topo-command.ts";
import type { TopoActions, TopoArguments } from "./ctl/topo-commands.ts";
import { Interruption } from "./interruption.ts";
import type { GivenSettings } from "./settings/setting-options.ts";
import { settings } from "./settings/settings.ts";
import type { SignalGuard } from "./signal-guard.ts";
import { topologyTarget, topologyTargetSettings } from "./topology-target.ts";

/** Exit code for a wrong command line or setting; shells use the same. */
const EXIT_USAGE = 2;

const io = {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  output: new Output(process.stdout),
  complain,
};

function sourcesOf({ flags, configFile }: GivenSettings): ConfigSources {
  const file = readSettingsFile(configFile);
  if (file.warning !== undefined) {
    complain(file.warning);
  }
  return withService({ flags, env: process.env, file });
}

function topoOptions({ given, json }: TopoArguments): TopoOptions {
  const config = resolveSettings(topologyTargetSettings, sourcesOf(given));
  return { target: topologyTarget(config), json };
}

export interface ProgramOptions {
  readonly signals: SignalGuard;
  /** Held until a command begins; for a pooler, until clients can connect. */
  readonly youngGeneration: Disposable;
}

/** Runs the command of the command line and sets the exit code of the process. */
export async function runProgram(options: ProgramOptions): Promise<void> {
  process.stderr.on("error", () => undefined);
  try {
    await runCommand(options);
  } catch (error) {
    if (error instanceof ConfigError) {
      for (const problem of error.problems) {
        complain(problem);
      }
      process.exitCode = EXIT_USAGE;
    } else if (error instanceof OutputFailed) {
      complain(error.message);
      process.exitCode = 1;
    } else if (!(error instanceof OutputClosed)) {
      throw error;
    }
  }
}

async function runCommand(options: ProgramOptions): Promise<void> {
  let help = "";
  try {
    await commandsOf(options, (text) => (help += text)).parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) {
      throw error;
    }
    process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
    await io.output.write(help);
  }
}

function commandsOf(options: ProgramOptions, print: (text: string) => void): Command {
  const { youngGeneration, signals } = options;
  const exit = (code: number): void => {
    process.exitCode = code;
  };
  const line = commandLine(actionsOf(options), { exit, print });
  line.hook("preAction", (_, command) => {
    // A pooler goes on to load, until clients can connect.
    if (command !== line) {
      youngGeneration[Symbol.dispose]();
    }
  });
  line.commands
    .find((command) => command.name() === "ctl")
    ?.hook("preAction", () => signals.endOnHangup());
  return line;
}

/** Each loads the code of its command alone, so that a short one takes a short time. */
function actionsOf(program: ProgramOptions): CommandActions {
  return {
    serve: (given) => runPooler(given, program),
    config: {
      check: async (given, options) => {
        const { checkConfig } = await import("./check-config.ts");
        return await checkConfig(sourcesOf(given), options, io);
      },
      describe: async (format) => {
        const { settingsReference } = await import("./settings/settings-reference.ts");
        await io.output.write(settingsReference(settings, acceptedFlags, format));
        return 0;
      },
      importPgBouncer: async (path) => {
        const { importCommand } = await import("./pgbouncer/import-command.ts");
        return await importCommand(path, io);
      },
    },
    query: async (sql, options) => {
      const { query } = await import("./ctl/query.ts");
      return await query(sql, options, io);
    },
    status: async (options) => {
      const { status } = await import("./ctl/status.ts");
      using interruption = new Interruption();
      return await status(options, io, interruption);
    },
    reload: async (options) => {
      const { reload } = await import("./ctl/reload.ts");
      return await reload(options, io);
    },
    completion: async (line, shell) => {
      const { completionScript } = await import("./completion.ts");
      await io.output.write(completionScript(line, shell));
      return 0;
    },
    drain: async (options) => {
      const { drain } = await import("./ctl/serving-status.ts");
      return await drain(options, io);
    },
    serveAgain: async (options) => {
      const { serveAgain } = await import("./ctl/serving-status.ts");
      return await serveAgain(options, io);
    },
    activity: activityActions,
    promotion: promotionActions,
    replication: replicationActions,
    topo: topoActions,
  };
}

async function runPooler(
  given: GivenSettings,
  { signals, youngGeneration }: ProgramOptions,
): Promise<number> {
  const sources = sourcesOf(given);
  const config = resolveConfig(sources);
  const inFile = acceptedFlags.filter((flag) => sources.file.values[flag] !== undefined);
  const [{ openLog }, { serve }, { RunningConfig }] = await Promise.all([
    import("./log/logger.ts"),
    import("./serve.ts"),
    import("./reload/running-config.ts"),
  ]);
  await using log = openLog(config, complain);
  const running = new RunningConfig({ config, sources, read: () => sourcesOf(given) });
  return await serve(running, {
    log,
    complain,
    signals,
    accepted: [...new Set([...given.accepted, ...inFile])],
    ignored: ignoredGivens(sources),
    started: () => youngGeneration[Symbol.dispose](),
    exit: (code) => process.exit(code),
  });
}

const activityActions: ActivityActions = {
  table: async (what, options) => {
    const { activity } = await import("./ctl/activity.ts");
    using interruption = new Interruption();
    return await activity(what, options, io, interruption);
  },
  top: async (options) => {
    const { top } = await import("./ctl/top.ts");
    using interruption = new Interruption();
    return await top(options, io, interruption);
  },
  kill: async (id, options) => {
    const { kill } = await import("./ctl/kill.ts");
    return await kill(id, options, io);
  },
};

const promotionActions: PromotionActions = {
  term: async (options) => {
    const { term } = await import("./ctl/term.ts");
    return await term(options, io);
  },
  promote: async (options) => {
    const { promote } = await import("./ctl/promotion.ts");
    return await promote(options, io);
  },
  demote: async (options) => {
    const { demote } = await import("./ctl/promotion.ts");
    return await demote(options, io);
  },
  undoDemote: async (options) => {
    const { undoDemote } = await import("./ctl/promotion.ts");
    return await undoDemote(options, io);
  },
  changeType: async (type, options) => {
    const { changeType } = await import("./ctl/promotion.ts");
    return await changeType(type, options, io);
  },
  switchover: async (options) => {
    const { switchover } = await import("./ctl/switchover.ts");
    return await switchover(options, io);
  },
};

const topoActions: TopoActions = {
  get: async (what, options) => {
    const { topoGet } = await import("./ctl/topo-get.ts");
    return await topoGet(what, topoOptions(options), io);
  },
  list: async (what, options) => {
    const { topoList } = await import("./ctl/topo-list.ts");
    using interruption = new Interruption();
    return await topoList(what, { ...options, ...topoOptions(options) }, io, interruption);
  },
  watch: async (what, options) => {
    const { topoWatch } = await import("./ctl/topo-watch.ts");
    using interruption = new Interruption();
    return await topoWatch(what, topoOptions(options), io, interruption);
  },
  tree: async (options) => {
    const { topoTree } = await import("./ctl/topo-tree.ts");
    using interruption = new Interruption();
    return await topoTree({ ...options, ...topoOptions(options) }, io, interruption);
  },
  delete: async (what, options) => {
    const { topoDelete } = await import("./ctl/topo-delete.ts");
    const { force, explain } = options;
    return await topoDelete(what, { ...topoOptions(options), force, explain }, io);
  },
  init: async (options) => {
    const { topoInit } = await import("./ctl/topo-init.ts");
    return await topoInit({ ...topoOptions(options), explain: options.explain }, io);
  },
};

const replicationActions: ReplicationActions = {
  waitLsn: async (lsn, options) => {
    const { waitLsn } = await import("./ctl/wait-lsn.ts");
    return await waitLsn(lsn, options, io);
  },
  followers: async (options) => {
    const { followers } = await import("./ctl/replication.ts");
    using interruption = new Interruption();
    return await followers(options, io, interruption);
  },
  setPrimary: async (primary, options) => {
    const { setPrimary } = await import("./ctl/replication.ts");
    return await setPrimary(primary, options, io);
  },
  status: async (options) => {
    const { replicationStatus } = await import("./ctl/replication.ts");
    using interruption = new Interruption();
    return await replicationStatus(options, io, interruption);
  },
  start: async (options) => {
    const { startReplication } = await import("./ctl/replication.ts");
    return await startReplication(options, io);
  },
  stop: async (options) => {
    const { stopReplication } = await import("./ctl/replication.ts");
    return await stopReplication(options, io);
  },
  reset: async (options) => {
    const { resetReplication } = await import("./ctl/replication.ts");
    return await resetReplication(options, io);
  },
  synchronous: async (standbys, options) => {
    const { synchronous } = await import("./ctl/replication.ts");
    return await synchronous(standbys, options, io);
  },
  standbys: async (operation, standbys, options) => {
    const { updateStandbys } = await import("./ctl/replication.ts");
    return await updateStandbys({ operation, standbys }, options, io);
  },
};
