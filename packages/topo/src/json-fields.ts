/** The members of a JSON object. Throws for anything else. */
export function fields(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) {
    throw new TypeError("not an object");
  }
  return { ...value };
}

export function text(value: unknown): string {
  if (typeof value !== "string") {
    throw new TypeError("not a text");
  }
  return value;
}

export function integer(value: unknown): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value)) {
    throw new TypeError("not an integer");
  }
  return value;
}

/** A time as text. */
export function date(value: unknown): Date {
  const read = new Date(text(value));
  if (Number.isNaN(read.getTime())) {
    throw new TypeError("not a date");
  }
  return read;
}
