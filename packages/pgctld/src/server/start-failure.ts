import { PgctldError, PgctldErrorCode } from "../error.ts";

/** Why a server ended before it was ready, read off its log. */
export type StartFailure =
  /** The TCP port is taken. */
  | { readonly kind: "port-in-use" }
  /** `postmaster.pid` names a living process. */
  | { readonly kind: "locked"; readonly pid: number }
  /** Children of a killed server still use its shared memory. */
  | { readonly kind: "orphans" }
  | { readonly kind: "other" };

/** How many lines of a log without a FATAL one are told. */
const TOLD_LINES = 20;

/** PostgreSQL says why in words only; `lc_messages=C` keeps them fixed. */
export function classifyStartFailure(log: readonly string[]): StartFailure {
  const text = log.join("\n");
  if (/could not bind .*Address already in use/.test(text)) {
    return { kind: "port-in-use" };
  }
  const lock = /lock file "postmaster\.pid" already exists[^]*?\(PID (\d+)\)/.exec(text);
  if (lock) {
    return { kind: "locked", pid: Number(lock[1]) };
  }
  if (/pre-existing shared memory block/.test(text)) {
    return { kind: "orphans" };
  }
  return { kind: "other" };
}

/** The error for a failure that another attempt would not mend. */
export function startError(
  failure: StartFailure,
  context: { readonly dataDir: string; readonly port: number; readonly log: readonly string[] },
): PgctldError {
  const { dataDir, port, log } = context;
  switch (failure.kind) {
    case "port-in-use":
      return new PgctldError(
        PgctldErrorCode.PortInUse,
        `PostgreSQL cannot listen on port ${port}: another program uses it`,
      );
    case "locked":
      return new PgctldError(
        PgctldErrorCode.AlreadyRunning,
        `a PostgreSQL server (process ${failure.pid}) already runs on ${dataDir}`,
      );
    case "orphans":
      return new PgctldError(
        PgctldErrorCode.AlreadyRunning,
        `processes of an earlier PostgreSQL server still use ${dataDir}: end them first`,
      );
    case "other":
      return new PgctldError(
        PgctldErrorCode.StartFailed,
        `PostgreSQL did not start on ${dataDir}: ${failureWords(log)}`,
      );
  }
}

/** What a log says went wrong, on one line and without timestamps. */
export function failureWords(log: readonly string[]): string {
  const start = log.findIndex((line) => /\b(FATAL|PANIC): /.test(line));
  if (start < 0) {
    const last = log.slice(-TOLD_LINES).map((line) => line.trim());
    return last.length === 0 ? "it wrote nothing into its log" : last.join("; ");
  }
  const related = log.slice(start + 1).filter((line) => /\b(DETAIL|HINT): /.test(line));
  return [log[start] ?? "", ...related.slice(0, 2)]
    .map((line) => line.replace(/^.*?\b(FATAL|PANIC|DETAIL|HINT): +/, ""))
    .join(" ");
}
