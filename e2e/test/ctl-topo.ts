import { runProgram } from "@multipooler/pooler-process";
import type { ProgramResult } from "@multipooler/pooler-process";
import { argumentsOf } from "./topology-flags.ts";

type Flags = Readonly<Record<string, string>>;

/** Runs `ctl topo` on the topology that the flags name. */
export function ctlTopo(flags: Flags, ...args: readonly string[]): Promise<ProgramResult> {
  return runProgram(["ctl", "topo", ...args, ...argumentsOf(flags)]);
}

/** What `ctl topo get --json` prints of a pooler in cell zone1; `undefined` if there is no record. */
export async function poolerRecord(flags: Flags, name: string): Promise<unknown> {
  const { code, stdout } = await ctlTopo(flags, "get", `pooler/zone1/${name}`, "--json");
  return code === 0 ? JSON.parse(stdout) : undefined;
}
