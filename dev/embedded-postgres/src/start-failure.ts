import { EmbeddedPostgresError } from "./error.ts";

/** Why a server ended before it was ready, read off its log. */
export type StartFailure =
  /** The TCP port is taken. */
  | { readonly kind: "port-in-use" }
  /** `postmaster.pid` names a living process. */
  | { readonly kind: "locked"; readonly pid: number }
  /** Children of a killed server still use its shared memory. */
  | { readonly kind: "orphans" }
  | { readonly kind: "other" };

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
  { dataDir, port, log }: { dataDir: string; port: number; log: readonly string[] },
): EmbeddedPostgresError {
  switch (failure.kind) {
    case "port-in-use":
      return new EmbeddedPostgresError(
        "port-in-use",
        `PostgreSQL cannot listen on port ${port}: another program uses it`,
      );
    case "locked":
      return new EmbeddedPostgresError(
        "already-running",
        `a PostgreSQL server (process ${failure.pid}) already runs on ${dataDir}`,
      );
    case "orphans":
      return new EmbeddedPostgresError(
        "already-running",
        `processes of an earlier PostgreSQL server still use ${dataDir}: end them first`,
      );
    case "other":
      return new EmbeddedPostgresError(
        "start-failed",
        `PostgreSQL did not start on ${dataDir}: ${fatalLines(log) ?? log.join("\n")}`,
      );
  }
}

/** The first FATAL message with its detail, on one line and without timestamps. */
function fatalLines(log: readonly string[]): string | undefined {
  const start = log.findIndex((line) => /\b(FATAL|PANIC): /.test(line));
  if (start < 0) {
    return undefined;
  }
  const related = log.slice(start + 1).filter((line) => /\b(DETAIL|HINT): /.test(line));
  return [log[start] ?? "", ...related.slice(0, 2)]
    .map((line) => line.replace(/^.*?\b(FATAL|PANIC|DETAIL|HINT): +/, ""))
    .join(" ");
}
