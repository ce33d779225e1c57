import { HEADER_BYTES } from "@multipooler/pgwire";
import type { Binding } from "@multipooler/query-service";
import { FrontendCode, messageSize, textEnd } from "./frontend-message.ts";

/** What the last Bind of a unit binds; `undefined` if it has none, or one that PostgreSQL refuses. */
export function boundValues(
  unit: Buffer,
): Pick<Binding, "parameters" | "parameterFormats"> | undefined {
  let last: Buffer | undefined;
  for (let at = 0, size = messageSize(unit, 0); size > 0; size = messageSize(unit, at)) {
    if (unit[at] === FrontendCode.Bind) {
      last = unit.subarray(at + HEADER_BYTES, at + size);
    }
    at += size;
  }
  return last && readBind(last);
}

/** The names of portal and statement; then formats and values, each with their number before them. */
function readBind(body: Buffer): Pick<Binding, "parameters" | "parameterFormats"> | undefined {
  const portalEnd = textEnd(body, 0, body.length);
  let at = textEnd(body, portalEnd + 1, body.length) + 1;
  const fits = (count: number): boolean => at + count <= body.length;
  const shorts = (): number[] | undefined => {
    const count = fits(2) ? body.readUInt16BE(at) : -1;
    at += 2;
    if (count === -1 || !fits(2 * count)) {
      return undefined;
    }
    const start = at;
    at += 2 * count;
    return Array.from({ length: count }, (_, index) => body.readInt16BE(start + 2 * index));
  };
  const parameterFormats = shorts();
  const count = fits(2) ? body.readUInt16BE(at) : 0;
  at += 2;
  const parameters: (Buffer | null)[] = [];
  while (parameters.length < count) {
    const length = fits(4) ? body.readInt32BE(at) : -2;
    at += 4;
    if (length < -1 || !fits(Math.max(length, 0))) {
      return undefined;
    }
    parameters.push(length === -1 ? null : body.subarray(at, at + length));
    at += Math.max(length, 0);
  }
  return parameterFormats && { parameters, parameterFormats };
}
