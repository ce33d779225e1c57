import { command } from "./command.ts";
import type { GateResult } from "./gate.ts";
import { isRecord } from "./workspace.ts";

/** Faults that are less are for the next update, and no reason to stop a change. */
const STOPPING = new Set(["high", "critical"]);

/** How Node, pnpm and the gate's own deadline say that a registry was not reached, or does not audit. */
const UNASKED = [
  /\bE(?:CONNREFUSED|CONNRESET|CONNABORTED|HOSTUNREACH|NETUNREACH|NOTFOUND|TIMEDOUT|AI_AGAIN|PIPE)\b/,
  /\bUND_ERR_(?:CONNECT_TIMEOUT|HEADERS_TIMEOUT|BODY_TIMEOUT|SOCKET)\b/,
  /\bERR_PNPM_AUDIT_ENDPOINT_NOT_EXISTS\b/,
  /\bERR_PNPM_AUDIT_BAD_RESPONSE\b.*\bresponded with (?:404|405|429|5\d\d)\b/s,
  /\bpnpm was ended by SIGKILL$/,
];
const SHOWN = 200;

/**
 * What is shipped has no fault of these severities that the registry knows of. Where the registry
 * cannot be asked, the gate is skipped and says so: a machine without a network is no fault of a change.
 * Any other answer that is no report fails.
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
    const why = isRecord(error) ? `${String(error["code"])} ${String(error["message"])}` : output;
    return UNASKED.some((fault) => fault.test(why))
      ? {
          ok: true,
          isSkipped: true,
          output: `the registry could not be asked: ${why.slice(0, SHOWN)}`,
        }
      : { ok: false, output: `the audit said what is not understood: ${why.slice(0, SHOWN)}` };
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
