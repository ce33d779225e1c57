const SECOND_MS = 1000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

const NO_BREAK_SPACE = "\u00a0";

/** "0.4 ms", "12 ms", "3.2 s", "4 min 10 s", "2 h 5 min", "3 d 4 h". A unit stays with its number. */
export function duration(ms: number): string {
  return durationText(ms).replaceAll(/(?<=\d) /g, NO_BREAK_SPACE);
}

function durationText(ms: number): string {
  if (ms < SECOND_MS) {
    return `${significant(ms)} ms`;
  }
  if (ms < MINUTE_MS) {
    return `${significant(ms / SECOND_MS)} s`;
  }
  if (ms < HOUR_MS) {
    return twoUnits(ms, [MINUTE_MS, "min"], [SECOND_MS, "s"]);
  }
  return ms < DAY_MS
    ? twoUnits(ms, [HOUR_MS, "h"], [MINUTE_MS, "min"])
    : twoUnits(ms, [DAY_MS, "d"], [HOUR_MS, "h"]);
}

type Unit = readonly [ms: number, name: string];

function twoUnits(ms: number, [largeMs, large]: Unit, [smallMs, small]: Unit): string {
  const rest = Math.floor((ms % largeMs) / smallMs);
  const first = `${Math.floor(ms / largeMs)} ${large}`;
  return rest === 0 ? first : `${first} ${rest} ${small}`;
}

/** Two digits that count at least: 0.042, 0.42, 4.2, 42, 420. */
function significant(value: number): string {
  if (value === 0 || value >= 10) {
    return value.toFixed(0);
  }
  return value >= 1 ? value.toFixed(1) : value.toFixed(2);
}

const PREFIXES = ["", "k", "M", "G", "T"] as const;

/** "950", "12.3k", "4.6M". */
export function count(value: number): string {
  return scaled(value, 1000);
}

/** "950 B", "12.3 kB": multiples of 1024, as PostgreSQL has them. */
export function bytes(value: number): string {
  const text = scaled(value, 1024);
  const prefix = /[a-z]$/i.exec(text)?.[0] ?? "";
  return `${text.slice(0, text.length - prefix.length)} ${prefix}B`;
}

function scaled(value: number, step: number): string {
  let rest = value;
  let index = 0;
  while (rest >= step && index < PREFIXES.length - 1) {
    rest /= step;
    index += 1;
  }
  const digits = index > 0 && rest < 100 ? rest.toFixed(1) : rest.toFixed(0);
  return `${digits}${PREFIXES[index] ?? ""}`;
}

/** How long ago it was, by the clock of the pooler. */
export function ago(time: string, now: string): string {
  return duration(Math.max(0, Date.parse(now) - Date.parse(time)));
}

/** The time of day where the reader is, with the date if it was another day. */
export function clockTime(time: string, now: string): string {
  const then = new Date(time);
  const isToday = then.toDateString() === new Date(now).toDateString();
  const clock = then.toLocaleTimeString(undefined, { hour12: false });
  return isToday ? clock : `${then.toLocaleDateString()} ${clock}`;
}
