import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import { fileFault } from "./file-fault.ts";
import { ConfigError } from "./settings/config.ts";
import type { Config } from "./settings/settings.ts";

const FILE = "service-id";

/**
 * The name of the pooler in its cell: the configured one, else the one that the pooler's directory
 * keeps, made at the first start. Without a directory it is another one at each start.
 *
 * @throws ConfigError naming the file where it can be neither read nor written, or holds no name.
 */
export function serviceIdOf({
  serviceId,
  poolerDir,
}: Pick<Config, "serviceId" | "poolerDir">): string {
  if (serviceId !== undefined) {
    return serviceId;
  }
  if (poolerDir === undefined) {
    return randomId();
  }
  const file = join(poolerDir, FILE);
  try {
    return kept(file) ?? keep(file, randomId());
  } catch (error) {
    throw new ConfigError([`--pooler-dir: ${file}: ${fileFault(error)}`], { cause: error });
  }
}

function randomId(): string {
  return randomBytes(4).toString("hex");
}

/** To guess would be to become another pooler. */
function kept(file: string): string | undefined {
  const text = readIfExists(file);
  if (text === undefined) {
    return undefined;
  }
  const id = text.trim();
  if (!/^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/i.test(id)) {
    throw new Error("does not hold a service id: write one into it, or set --service-id");
  }
  return id;
}

function readIfExists(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") {
      return undefined;
    }
    throw error;
  }
}

/** Whole or not at all, also after a crash. */
function keep(file: string, id: string): string {
  const temporary = `${file}.tmp`;
  const handle = openSync(temporary, "w", 0o600);
  try {
    writeSync(handle, `${id}\n`);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(temporary, file);
  return id;
}
