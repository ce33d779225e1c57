import type { StreamExecuteResponse } from "@multipooler/proto/multipoolerservice";
import type { QueryResult, ReservedState, Row } from "@multipooler/proto/query";
import type { Answer } from "./wire-client.ts";

/** The parts of an answer that every stream of results has. */
type ResultMessage = Pick<StreamExecuteResponse, "result" | "reservedState">;
type ResultAnswer = Answer<ResultMessage>;

/**
 * What each message of a stream is, in order: the tag of a result, "rows" for a part of one, the
 * text of a notice, "TimeZone=UTC" for a setting, "state" for what stays reserved.
 */
export function shapeOf({ messages }: ResultAnswer): readonly string[] {
  return messages.map(shapeOfMessage);
}

function shapeOfMessage({ result, reservedState }: ResultMessage): string {
  const payload = result?.payload;
  switch (payload?.$case) {
    case "result":
      return shapeOfResult(payload.value);
    case "diagnostic":
      return payload.value.message;
    case "notification":
      return "notification";
    case undefined:
      return reservedState === undefined ? "empty" : "state";
  }
}

function shapeOfResult({ commandTag, parameterStatus }: QueryResult): string {
  const [setting] = Object.entries(parameterStatus);
  if (setting !== undefined) {
    return setting.join("=");
  }
  return commandTag === "" ? "rows" : commandTag;
}

/** The results of a stream. */
export function resultsOf({ messages }: ResultAnswer): readonly QueryResult[] {
  return messages.flatMap(({ result }) =>
    result?.payload?.$case === "result" ? [result.payload.value] : [],
  );
}

/** The values of every decoded row, as text. */
export function rowsOf(answer: ResultAnswer): readonly (readonly (string | null)[])[] {
  return resultsOf(answer).flatMap(({ rows }) => rows.map(valuesOf));
}

/** The one value of an answer with one row. */
export function valueOf(answer: ResultAnswer): string | null | undefined {
  return rowsOf(answer)[0]?.[0];
}

/** The values of one decoded row, as text. */
function valuesOf({ lengths, values }: Row): readonly (string | null)[] {
  let start = 0;
  return lengths.map((length) => {
    if (length < 0n) {
      return null;
    }
    const value = Buffer.from(values.subarray(start, start + Number(length))).toString();
    start += Number(length);
    return value;
  });
}

/** What stays reserved, by the last message of a stream. */
export function stateOf({ messages }: ResultAnswer): ReservedState | undefined {
  return messages.at(-1)?.reservedState;
}

/** The options of a call on what an answer has left reserved. */
export function onState(answer: ResultAnswer): { readonly reservedConnectionId: bigint } {
  return { reservedConnectionId: stateOf(answer)?.reservedConnectionId ?? 0n };
}
