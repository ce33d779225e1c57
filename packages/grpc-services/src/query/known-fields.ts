import { decodeFields } from "@multipooler/query-service";
import type { Field as FieldMessage } from "@multipooler/proto/query";
import { fieldMessages } from "./field-message.ts";

/** How many descriptions are remembered, and of which size: 2 MiB at most. */
const MAX_ENTRIES = 512;
const MAX_BYTES = 4096;

/**
 * The columns of a RowDescription as the wire carries them. The same statement is described alike
 * each time, and most calls are for few statements, so that what was decoded is remembered. Equal
 * descriptions yield the same array, which nobody may change.
 */
export class KnownFields {
  readonly #known = new Map<string, FieldMessage[]>();

  /** @throws MalformedMessageError for bytes that are no RowDescription. */
  get(description: Uint8Array): FieldMessage[] {
    if (description.byteLength > MAX_BYTES) {
      return fieldMessages(decodeFields(description));
    }
    const { buffer, byteOffset, byteLength } = description;
    const key = Buffer.from(buffer, byteOffset, byteLength).toString("latin1");
    const known = this.#known.get(key);
    if (known !== undefined) {
      return known;
    }
    const fields = fieldMessages(decodeFields(description));
    if (this.#known.size === MAX_ENTRIES) {
      this.#known.clear();
    }
    this.#known.set(key, fields);
    return fields;
  }
}
