import { inspect } from "node:util";

/** pino's number for warnings. */
const WARN = 40;
/** Fields that the printed line has elsewhere. */
const SHOWN = new Set(["level", "time", "msg", "component", "err"]);

/**
 * Makes a line for people out of a line of the pooler's JSON log. Undefined for what is below a
 * warning; text that is no JSON is a complaint and stays as it is.
 */
export function readableLogLine(line: string): string | undefined {
  let entry: unknown;
  try {
    entry = JSON.parse(line);
  } catch {
    return line === "" ? undefined : line;
  }
  if (!isEntry(entry)) {
    return line;
  }
  if (entry.level < WARN) {
    return undefined;
  }
  const fields = Object.entries(entry)
    .filter(([name]) => !SHOWN.has(name))
    .map(([name, value]) => `${name}=${typeof value === "string" ? value : inspect(value)}`);
  return [new Date(entry.time).toTimeString().slice(0, 8), entry.msg, ...fields].join(" ");
}

interface Entry {
  readonly level: number;
  readonly time: string;
  readonly msg: string;
}

function isEntry(value: unknown): value is Entry {
  return (
    typeof value === "object" &&
    value !== null &&
    "level" in value &&
    typeof value.level === "number" &&
    "time" in value &&
    typeof value.time === "string" &&
    "msg" in value &&
    typeof value.msg === "string"
  );
}
