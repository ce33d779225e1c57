import { printable } from "./printable.ts";

/** Facts for people, one a line, the name of each in front, the values under each other. */
export function factLines(facts: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(0, ...facts.map(([name]) => name.length));
  return facts.map(([name, value]) => `${name.padEnd(width)}  ${printable(value)}\n`).join("");
}
