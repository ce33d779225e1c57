import * as z from "zod";
import { settingGroup } from "./setting.ts";
import type { Kind, Setting } from "./setting.ts";

const postgres = settingGroup("PostgreSQL");

const daemonAddress: Kind<string> = {
  placeholder: "host:port",
  schema: z.string().refine((text) => /^(?:[^\s:]+|\[[^\s\]]+\]):\d+$|^unix:\S/.test(text), {
    error: "is neither host:port nor unix:/path/of/a/socket",
  }),
};

/** Settings of what controls PostgreSQL's process. */
export const processControlSettings = {
  pgctldAddr: postgres.optional("pgctld-addr", daemonAddress, {
    help:
      "Daemon that controls PostgreSQL's process, as pgctld does: host:port, or unix:/path of its socket. " +
      "Without it a primary cannot be demoted.",
  }),
} as const satisfies Record<string, Setting<unknown>>;
