/**
 * What `npm start`, `npm test`, `npm run bench`, `compat`, `soak`, `check`, `release` and `ctl` run: gets Node 24 and
 * pnpm, installs, builds, then runs the command. Plain JavaScript that imports nothing but
 * Node, because it runs on Node 20 in a clone that has no node_modules.
 */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { childEnvironment } from "./bootstrap/environment.mjs";
import { runProcess } from "./bootstrap/process.mjs";
import { runStep, StepFailure } from "./bootstrap/step.mjs";
import { findToolchain } from "./bootstrap/toolchain.mjs";

/**
 * @typedef {object} Command
 * @property {string} entry The file that it runs.
 * @property {readonly string[]} [args] What comes before the caller's arguments.
 * @property {string} [build] What has to be built; everything if not given.
 * @property {boolean} [asBuilt] Runs what is there: nothing is brought up to date first.
 * @property {Readonly<Record<string, string>>} [env] What is set unless the caller has set it.
 */

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** @type {Readonly<Record<string, Command>>} */
const commands = {
  start: { entry: "dev/quickstart/dist/main.js", build: "@multipooler/quickstart..." },
  test: { entry: "scripts/test.ts" },
  check: { entry: "scripts/check.ts" },
  bench: { entry: "benchmarks/dist/main.js" },
  soak: { entry: "dev/soak/dist/main.js", build: "@multipooler/soak..." },
  compat: { entry: "e2e/compat/main.ts" },
  release: { entry: "scripts/release.ts" },
  ctl: {
    entry: "apps/multipooler/dist/main.js",
    args: ["ctl"],
    build: "@multipooler/multipooler...",
    asBuilt: true,
    // The topology of `npm start`, as the address of its pooler is the default anyway.
    env: { MULTIPOOLER_TOPO_GLOBAL_SERVER_ADDRESSES: join(root, ".multipooler", "topology.db") },
  },
};

process.exitCode = await main(process.argv.slice(2));

/**
 * @param {readonly string[]} argv
 * @returns {Promise<number>} the exit code
 */
async function main([name = "", ...args]) {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) {
    console.error(`usage: node scripts/bootstrap.mjs <${Object.keys(commands).join("|")}> [...]`);
    return 2;
  }
  try {
    const env = childEnvironment(process.env);
    const tools = await findToolchain(root, env);
    const entry = join(root, command.entry);
    if (command.asBuilt !== true || !existsSync(entry)) {
      await prepare(tools, command);
    }
    const end = await runProcess(tools.node, [entry, ...(command.args ?? []), ...args], {
      env: { ...command.env, ...tools.env },
      stdio: "inherit",
    });
    return end.code;
  } catch (error) {
    if (!(error instanceof StepFailure)) {
      throw error;
    }
    console.error(error.message);
    return error.exitCode;
  }
}

/**
 * Installs and builds; both do nothing quickly when nothing has changed.
 *
 * @param {import("./bootstrap/toolchain.mjs").Toolchain} tools
 * @param {Command} command
 */
async function prepare({ node, pnpm, env }, { build }) {
  const install = [
    "install",
    "--frozen-lockfile",
    "--prefer-offline",
    "--prod=false", // Even if NODE_ENV is production: building needs the compiler.
    "--config.confirmModulesPurge=false", // There is nobody to ask.
  ];
  await runStep("installing packages", node, [pnpm, ...install], { env, cwd: root });
  const turbo = join(root, "node_modules", "turbo", "bin", "turbo");
  const filter = build === undefined ? [] : [`--filter=${build}`];
  await runStep("building", node, [turbo, "run", "build", "--output-logs=errors-only", ...filter], {
    env: { ...env, TURBO_TELEMETRY_DISABLED: "1", TURBO_NO_UPDATE_NOTIFIER: "1" },
    cwd: root,
  });
}
