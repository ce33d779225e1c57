import type { Duration } from "@multipooler/proto/duration";

/** The name of a value of an enum without what all of them begin with. */
export function word(name: string, prefix: string): string {
  return name.startsWith(prefix) ? name.slice(prefix.length) : name;
}

/** A reason in brackets; nothing for none. */
export function because(reason: string): string {
  return reason === "" ? "" : ` (${reason})`;
}

/** A duration of protobuf in milliseconds; 0 for none. */
export function milliseconds(duration: Duration | undefined): number {
  return duration === undefined ? 0 : Number(duration.seconds) * 1000 + duration.nanos / 1_000_000;
}

/** Milliseconds are shown only below a minute. */
export function shortAge(ms: number): string {
  if (ms < 1000) {
    return `${Math.max(0, Math.round(ms))} ms`;
  }
  return ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : elapsed(ms);
}

/** The two largest units of a time, e.g. "1 h 2 min". */
export function elapsed(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  return parts
    .slice(first === -1 ? 3 : first, first === -1 ? 4 : first + 2)
    .map(([amount, unit]) => `${amount} ${unit}`)
    .join(" ");
}
