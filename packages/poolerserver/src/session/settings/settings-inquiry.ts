import { HEADER_BYTES, SimpleQuery } from "@multipooler/pgwire";
import type { EventReceiver, RequestEnd } from "@multipooler/pgwire";
import { MessageBody } from "@multipooler/query-service";
import type { ResultEvent } from "@multipooler/query-service";
import { literal } from "../../pool/label-difference.ts";

/** By name; `undefined`: the server knows no such setting. */
export type SettingValues = ReadonlyMap<string, string | undefined>;

export interface SettingsInquiryOptions {
  /** In lower case. */
  readonly names: readonly string[];
  /** Settings that count only if the session has set them; their names are among the others. */
  readonly unseen: ReadonlySet<string>;
  /** `undefined`: the server did not say. Must not throw. */
  readonly onSettled: (values: SettingValues | undefined, end: RequestEnd) => void;
}

/** Asks a backend for the values of settings. */
export class SettingsInquiry implements EventReceiver {
  readonly request: SimpleQuery;
  readonly #options: SettingsInquiryOptions;
  readonly #blocks: Uint8Array[] = [];

  constructor(options: SettingsInquiryOptions) {
    this.#options = options;
    const { names, unseen } = options;
    const rows = names.map((name) => `(${unseen.has(name) ? ifSet(name) : valueOf(name)})`);
    this.request = new SimpleQuery({ sql: `VALUES ${rows.join(", ")}`, receiver: this });
  }

  event(event: ResultEvent): undefined {
    if (event.type === "rows") {
      this.#blocks.push(Uint8Array.from(event.bytes));
    }
  }

  settle(end: RequestEnd): void {
    const hasAnswer = end.type === "ready" && end.error === undefined;
    this.#options.onSettled(hasAnswer ? this.#read() : undefined, end);
  }

  #read(): SettingValues | undefined {
    const { names, unseen } = this.#options;
    const answers = firstValues(Buffer.concat(this.#blocks));
    if (answers.length !== names.length) {
      return undefined;
    }
    const values = new Map<string, string | undefined>();
    for (const [index, name] of names.entries()) {
      const value = answers[index];
      if (value !== undefined || !unseen.has(name)) {
        values.set(name, value);
      }
    }
    return values;
  }
}

function valueOf(name: string): string {
  return `pg_catalog.current_setting(${literal(name)}, true)`;
}

function ifSet(name: string): string {
  return (
    "(SELECT pg_catalog.current_setting(name) FROM pg_catalog.pg_settings " +
    `WHERE pg_catalog.lower(name) = ${literal(name)} AND source = 'session')`
  );
}

/** The first column of DataRow messages. */
function firstValues(block: Buffer): (string | undefined)[] {
  const values: (string | undefined)[] = [];
  for (let at = 0; at < block.length; at += 1 + block.readInt32BE(at + 1)) {
    const body = new MessageBody({ body: block.subarray(at + HEADER_BYTES), message: "DataRow" });
    const length = body.int16() === 0 ? -1 : body.int32();
    values.push(length < 0 ? undefined : body.rest().toString("utf8", 0, length));
  }
  return values;
}
