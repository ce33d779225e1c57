import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";

import { runStep, StepFailure } from "./step.mjs";

const NODE_MAJOR = 24;

/**
 * @typedef {object} Toolchain
 * @property {string} node Path of a Node that runs the workspace.
 * @property {string} pnpm Path of the pnpm script that package.json asks for.
 * @property {NodeJS.ProcessEnv} env The environment in which programs find both of them.
 */

/** @typedef {{ wanted: string, node: string, pnpm: string }} Found */

/**
 * Finds Node 24 and the pnpm of package.json: those that are there, those of an earlier run, or
 * those of the npm registry, in this order.
 *
 * @param {string} root
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<Toolchain>}
 */
export async function findToolchain(root, env) {
  const pnpmVersion = wantedPnpm(readFileSync(join(root, "package.json"), "utf8"));
  const record = join(root, ".multipooler", "toolchain.json");
  const own = Number.parseInt(process.versions.node, 10) >= NODE_MAJOR;
  const wanted = `node ${own ? process.execPath : NODE_MAJOR}, pnpm ${pnpmVersion}`;
  let found = remembered(record, wanted);
  if (found === undefined) {
    const node = own ? process.execPath : undefined;
    const pnpm = pnpmOnPath(env["PATH"], pnpmVersion);
    found = { wanted, ...(await complete({ node, pnpm }, pnpmVersion, env)) };
    mkdirSync(dirname(record), { recursive: true });
    writeFileSync(record, JSON.stringify(found));
  }
  const folders = [dirname(found.node), dirname(found.pnpm), env["PATH"] ?? ""];
  return {
    node: found.node,
    pnpm: realpathSync(found.pnpm),
    env: { ...env, PATH: folders.join(delimiter) },
  };
}

/**
 * The version in `"packageManager": "pnpm@10.0.0"`.
 *
 * @param {string} manifest
 * @returns {string}
 */
export function wantedPnpm(manifest) {
  const version = /^pnpm@([0-9.]+)/.exec(JSON.parse(manifest).packageManager)?.[1];
  if (version === undefined) {
    throw new Error("package.json names no pnpm as packageManager");
  }
  return version;
}

/**
 * The toolchain that an earlier run found, if it is still there and is the one that is wanted.
 *
 * @param {string} record
 * @param {string} wanted
 * @returns {Found | undefined}
 */
function remembered(record, wanted) {
  try {
    /** @type {Found} */
    const found = JSON.parse(readFileSync(record, "utf8"));
    return found.wanted === wanted && existsSync(found.node) && existsSync(found.pnpm)
      ? found
      : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The first pnpm on the path if it is an npm package of this version: other kinds, such as
 * corepack's, may fetch another version when they are run.
 *
 * @param {string | undefined} path
 * @param {string} version
 * @returns {string | undefined}
 */
export function pnpmOnPath(path, version) {
  const command = (path ?? "")
    .split(delimiter)
    .map((folder) => join(folder, "pnpm"))
    .find((file) => existsSync(file));
  if (command === undefined) {
    return undefined;
  }
  try {
    const manifest = join(dirname(realpathSync(command)), "..", "package.json");
    const { name, version: actual } = JSON.parse(readFileSync(manifest, "utf8"));
    return name === "pnpm" && actual === version ? command : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Fetches what is missing with npx, which keeps it in npm's cache.
 *
 * @param {{ node: string | undefined, pnpm: string | undefined }} present
 * @param {string} pnpmVersion
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<{ node: string, pnpm: string }>}
 */
async function complete({ node, pnpm }, pnpmVersion, env) {
  if (node !== undefined && pnpm !== undefined) {
    return { node, pnpm };
  }
  const packages = [
    ...(node === undefined ? [`node@${NODE_MAJOR}`] : []),
    ...(pnpm === undefined ? [`pnpm@${pnpmVersion}`] : []),
  ];
  const report = "console.log(`<${JSON.stringify([process.execPath, process.env.PATH])}>`)";
  const output = await runStep(
    `fetching ${packages.join(" and ")} from the npm registry`,
    "npx",
    [
      "--yes",
      "--prefer-offline",
      // The package `node` puts the program into place with its install script.
      "--ignore-scripts=false",
      ...packages.map((name) => `--package=${name}`),
      "--",
      "node",
      "-e",
      report,
    ],
    { env },
  );
  const [execPath, path] = JSON.parse(/<(\[.*\])>/.exec(output)?.[1] ?? "[]");
  const fetched = pnpm ?? pnpmOnPath(path, pnpmVersion);
  if (execPath === undefined || fetched === undefined) {
    throw new StepFailure(`npx did not provide ${packages.join(" and ")}:\n${output}`, 1);
  }
  return { node: node ?? execPath, pnpm: fetched };
}
