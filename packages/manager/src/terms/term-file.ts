import path from "node:path";
import { JsonFile } from "../record/json-file.ts";
import { Component } from "./consensus-term.ts";
import type { ComponentId, ConsensusTerm } from "./consensus-term.ts";

/**
 * Keeps the term over restarts in `consensus_term.json` of the pooler's directory: beside the data
 * directory and not in it, which a rewind or a restore replaces. It belongs to the directory and not to
 * the pooler's name: the server has promised, whatever it is called.
 */
export class TermFile {
  readonly #file: JsonFile;

  constructor(directory: string) {
    this.#file = new JsonFile({
      path: path.join(directory, "consensus_term.json"),
      what: "the term, which lets a primary that was replaced take writes",
    });
  }

  /** `undefined` where there is none. Rejects with RECORD_FILE_INVALID, naming the file. */
  async read(): Promise<ConsensusTerm | undefined> {
    const content = await this.#file.read();
    if (content === undefined) {
      return undefined;
    }
    const number = field(content, "termNumber");
    if (typeof number !== "string" || !/^\d{1,19}$/.test(number)) {
      throw this.#file.invalid('does not hold a term as "termNumber"');
    }
    return {
      number: BigInt(number),
      acceptedLeader: this.#component(content, "acceptedLeader"),
      acceptedAt: this.#time(content, "lastAcceptanceTime"),
      leader: this.#component(content, "leaderId"),
    };
  }

  async write({ number, acceptedLeader, acceptedAt, leader }: ConsensusTerm): Promise<void> {
    await this.#file.write({
      termNumber: String(number),
      acceptedLeader,
      lastAcceptanceTime: acceptedAt,
      leaderId: leader,
    });
  }

  #component(content: object, name: string): ComponentId | undefined {
    const value = field(content, name);
    if (value === undefined) {
      return undefined;
    }
    if (!isComponent(value)) {
      throw this.#file.invalid(`does not hold component, cell and name as "${name}"`);
    }
    return value;
  }

  #time(content: object, name: string): Date | undefined {
    const value = field(content, name);
    if (value === undefined) {
      return undefined;
    }
    const time = new Date(typeof value === "string" ? value : Number.NaN);
    if (Number.isNaN(time.getTime())) {
      throw this.#file.invalid(`does not hold a time as "${name}"`);
    }
    return time;
  }
}

function field(content: object, name: string): unknown {
  const found: unknown = Object.getOwnPropertyDescriptor(content, name)?.value;
  return found;
}

function isComponent(value: unknown): value is ComponentId {
  return (
    typeof value === "object" &&
    value !== null &&
    "component" in value &&
    Object.values<unknown>(Component).includes(value.component) &&
    "cell" in value &&
    typeof value.cell === "string" &&
    "name" in value &&
    typeof value.name === "string"
  );
}
