import { readFile, rename, rm, writeFile } from "node:fs/promises";
import type { Ports } from "./options.ts";

/** What runs, for the next `npm start`. */
export interface State {
  /** Process id of the `npm start` that stops the pooler when it is stopped. */
  readonly owner: number;
  /** Process id of the pooler. */
  readonly pooler: number;
  readonly ports: Ports;
  /** Process ids of the poolers of replicas. */
  readonly replicas: readonly number[];
}

/** The state that is written down; undefined when nothing is, or nothing that makes sense. */
export async function readState(file: string): Promise<State | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(file, "utf8"));
    return isState(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Writes the state down, whole or not at all. */
export async function writeState(file: string, state: State): Promise<void> {
  const temporary = `${file}.${process.pid}`;
  await writeFile(temporary, JSON.stringify(state));
  await rename(temporary, file);
}

/** Forgets the state; nothing runs any more. */
export async function removeState(file: string): Promise<void> {
  await rm(file, { force: true });
}

function isState(value: unknown): value is State {
  return (
    isRecord(value) &&
    isNatural(value["owner"]) &&
    isNatural(value["pooler"]) &&
    isRecord(value["ports"]) &&
    isNatural(value["ports"]["postgres"]) &&
    isNatural(value["ports"]["http"]) &&
    isNatural(value["ports"]["grpc"]) &&
    isNatural(value["ports"]["psql"]) &&
    Array.isArray(value["replicas"]) &&
    value["replicas"].every(isNatural)
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isNatural(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0;
}
