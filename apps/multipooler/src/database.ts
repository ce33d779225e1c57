import { readFileSync } from "node:fs";
import type { ManagerOptions } from "@multipooler/manager";
import type { Config } from "./settings.ts";

/** How to reach PostgreSQL, from the settings. The password is looked up anew at each dial. */
export function databaseConfig(config: Config): ManagerOptions["database"] {
  return {
    address:
      config.socketFile === undefined
        ? { type: "tcp", host: config.pgHost, port: config.pgPort }
        : { type: "socket", path: config.socketFile },
    database: config.database,
    user: config.adminUser,
    password: () => password(config),
    dialTimeoutMs: config.dialTimeoutMs,
  };
}

function password(config: Config): string | undefined {
  if (config.adminPasswordFile === undefined) return config.adminPassword;
  // Editors and `echo` end a file with a line end that is no part of the password.
  return readFileSync(config.adminPasswordFile, "utf8").replace(/\r?\n$/, "");
}
