import { printable } from "@multipooler/text-table";

/** The levels by the numbers that pino writes. */
const LEVELS: Readonly<Record<number, string>> = {
  10: "TRACE",
  20: "DEBUG",
  30: "INFO",
  40: "WARN",
  50: "ERROR",
  60: "FATAL",
};

/**
 * A line of the log for people, from the JSON that pino writes:
 * `2026-01-02T03:04:05.678Z INFO HTTP listens address=127.0.0.1 port=15200`. Values that are no plain
 * word are JSON, so that a line stays one line.
 */
export function logText(json: string): string {
  const { time, level, msg, ...fields } = parse(json);
  const name = typeof level === "number" ? LEVELS[level] : undefined;
  const words = Object.entries(fields).map(([key, value]) => `${key}=${shown(value)}`);
  return `${[time, name ?? level, msg === undefined ? "" : shown(msg, SENTENCE), ...words].join(" ")}\n`;
}

const WORD = /^[^\s"=\p{Cc}]+$/u;
const SENTENCE = /^[^\p{Cc}]+$/u;

function parse(json: string): Readonly<Record<string, unknown>> {
  const line: unknown = JSON.parse(json);
  return typeof line === "object" && line !== null ? { ...line } : { msg: line };
}

function shown(value: unknown, plain = WORD): string {
  // JSON leaves U+007F to U+009F as they are.
  return typeof value === "string" && plain.test(value) ? value : printable(JSON.stringify(value));
}
