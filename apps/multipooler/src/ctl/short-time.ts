/** A time to the second, e.g. "2026-11-23 10:00:00Z". */
export function shortTime(time: Date): string {
  return time.toISOString().replace("T", " ").replace(/\.\d+/, "");
}
