import { command } from "./command.ts";
import type { GateResult } from "./gate.ts";
import { isRecord } from "./workspace.ts";

/** Faults that are less are for the next update, and no reason to stop a change. */
const STOPPING = new Set(["high", "critical"]);

/**
 * What is shipped has no fault of these severities that the registry knows of. Where the registry
 * cannot be asked, the gate is green and says so: a machine without a network is no fault of a change.
 */
export async function checkAudit(root: string): Promise<GateResult> {
  const { output } = await command("pnpm", ["audit", "--prod", "--json"], {
    cwd: root,
    timeoutMs: 60_000,
    env: { npm_config_fetch_retries: "0", npm_config_fetch_timeout: "20000" },
  });
  return judgeAudit(output);
}

/** What the output of `pnpm audit --json` means. */
export function judgeAudit(output: string): GateResult {
  const report = parsed(output);
  const advisories = report === undefined ? undefined : report["advisories"];
  if (!isRecord(advisories)) {
    const error = report?.["error"];
    const why = isRecord(error) ? String(error["message"]) : output.slice(0, 200);
    return { ok: true, output: `the registry could not be asked: ${why}` };
  }
  const faults = Object.values(advisories)
    .filter(isRecord)
    .filter(({ severity }) => STOPPING.has(String(severity)))
    .map(
      ({ module_name: name, severity, title, url, patched_versions: patched }) =>
        `${String(name)}: ${String(severity)}: ${String(title)}; patched in ${String(patched)} (${String(url)})`,
    );
  return faults.length === 0
    ? { ok: true, output: "no known fault of high or critical severity" }
    : { ok: false, output: faults.join("\n") };
}

/** The tool may print more than JSON, such as a warning before it. */
function parsed(output: string): Readonly<Record<string, unknown>> | undefined {
  const begin = output.indexOf("{");
  try {
    const report: unknown = begin === -1 ? undefined : JSON.parse(output.slice(begin));
    return isRecord(report) ? report : undefined;
  } catch {
    return undefined;
  }
}
