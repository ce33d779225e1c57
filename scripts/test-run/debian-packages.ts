import { spawnSync } from "node:child_process";
import { accessSync, constants, globSync, mkdirSync, rmSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";

/** A download of all packages of a browser takes seconds; a mirror that hangs must end some time. */
const LIMIT_MS = 120_000;

/**
 * Fetches a package of Debian, or what `packagesOf` says that it takes, and unpacks all into `into`.
 * Nothing is installed: that would need root, and may start services on the machine.
 *
 * @returns whether all of it is there
 */
export function unpackDebianPackage(
  into: string,
  name: string,
  packagesOf: () => readonly string[] = () => [name],
): boolean {
  rmSync(into, { recursive: true, force: true });
  mkdirSync(into, { recursive: true });
  const download = (): boolean => {
    const names = packagesOf();
    return names.length > 0 && run(into, "apt-get", ["download", ...names]);
  };
  // The package lists may be missing or too old; only root can renew them.
  const fetched = download() || (run(into, "apt-get", ["update"]) && download());
  const archives = globSync("*.deb", { cwd: into });
  const unpacked = archives.every((archive) => run(into, "dpkg-deb", ["-x", archive, into]));
  archives.forEach((archive) => rmSync(join(into, archive)));
  return fetched && archives.length > 0 && unpacked;
}

/** A package and those that it needs, less what the machine has. */
export function neededPackages(name: string): readonly string[] {
  const args = ["install", "--simulate", "--no-install-recommends", name];
  const { status, stdout } = spawnSync("apt-get", args, { encoding: "utf8", timeout: LIMIT_MS });
  return status === 0 ? [...stdout.matchAll(/^Inst (\S+)/gm)].map(([, each]) => each ?? "") : [];
}

/** The folders in which programs are looked for. */
export function pathFolders(): readonly string[] {
  return (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
}

/** Whether this machine takes its programs from Debian's packages. */
export function isDebian(): boolean {
  return pathFolders().some((folder) => isExecutable(join(folder, "apt-get")));
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return dirname(path) !== path;
  } catch {
    return false;
  }
}

function run(cwd: string, command: string, args: readonly string[]): boolean {
  return spawnSync(command, args, { cwd, stdio: "ignore", timeout: LIMIT_MS }).status === 0;
}
