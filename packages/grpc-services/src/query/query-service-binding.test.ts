import { encodeFields, encodeCommandTag } from "@multipooler/query-service";
import type { ResultEvent } from "@multipooler/query-service";
import {
  ExecuteQueryRequest,
  ExecuteQueryResponse,
  StreamExecuteRequest,
  StreamExecuteResponse,
} from "@multipooler/proto/multipoolerservice";
import type { QueryResult } from "@multipooler/proto/query";
import fc from "fast-check";
import { expect, test } from "vitest";
import { dataRow, textFields } from "../../test/data-rows.ts";
import { FakeManager } from "../../test/fake-manager.ts";
import { bindQueryService } from "./query-service-binding.ts";
import type { MessageBytes } from "../server/rpc.ts";
import type { BoundHandler } from "../server/service-binding.ts";

const BATCH_BYTES = 200;
const MAX_MESSAGE_BYTES = 2000;

type Value = Uint8Array | null;
type Table = readonly (readonly Value[])[];

/** Rows of which some are larger than a batch, but none than a message. */
const tables: fc.Arbitrary<Table> = fc.integer({ min: 0, max: 3 }).chain((columns) =>
  fc.array(
    fc.array(fc.option(fc.uint8Array({ maxLength: 250 })), {
      minLength: columns,
      maxLength: columns,
    }),
    { maxLength: 20 },
  ),
);

/** The rows events of a controller that puts `perBlock` rows into a block if they fit. */
function rowsEvents(table: Table, perBlock: number): ResultEvent[] {
  const events: ResultEvent[] = [];
  let pending: Buffer[] = [];
  const flush = (): void => {
    const rowCount = pending.length;
    const bytes = Buffer.concat(pending);
    if (rowCount > 0) {
      events.push({ type: "rows", bytes, rowCount, inProgress: false });
    }
    pending = [];
  };
  for (const frame of table.map((row) => dataRow(...row))) {
    const size = pending.reduce((sum, { byteLength }) => sum + byteLength, frame.byteLength);
    if (size > BATCH_BYTES || pending.length === perBlock) {
      flush();
    }
    if (frame.byteLength <= BATCH_BYTES) {
      pending.push(frame);
      continue;
    }
    for (let at = 0; at < frame.byteLength; at += BATCH_BYTES) {
      const bytes = frame.subarray(at, at + BATCH_BYTES);
      const inProgress = at + BATCH_BYTES < frame.byteLength;
      events.push({ type: "rows", bytes, rowCount: inProgress ? 0 : 1, inProgress });
    }
  }
  flush();
  return events;
}

function handlerOf(manager: FakeManager, name: string): BoundHandler {
  const service = bindQueryService({
    closing: new AbortController().signal,
    manager,
    maxMessageBytes: MAX_MESSAGE_BYTES,
    batchBytes: BATCH_BYTES,
  });
  const handler = service.methods.find((method) => method.name === name)?.handler;
  if (handler === undefined) {
    throw new TypeError(`${name} has no handler`);
  }
  return handler;
}

function managerOf(events: readonly ResultEvent[]): FakeManager {
  const manager = new FakeManager();
  manager.execute = async (_request, sink) => {
    for (const event of events) {
      await sink.write(event);
    }
  };
  return manager;
}

const context = { signal: new AbortController().signal, peer: "127.0.0.1:1" };

async function streamed(
  events: readonly ResultEvent[],
  passthroughRow: boolean,
): Promise<Uint8Array[]> {
  const messages: Uint8Array[] = [];
  const handler = handlerOf(managerOf(events), "StreamExecute");
  const request = StreamExecuteRequest.fromPartial({ options: { passthroughRow } });
  if (handler.kind !== "serverStream") {
    throw new TypeError("not a stream");
  }
  const sink = {
    write: (message: MessageBytes): undefined =>
      void messages.push(Buffer.concat([message].flat())),
  };
  await handler.call(StreamExecuteRequest.encode(request).finish(), sink, context);
  return messages;
}

function resultOf(message: Uint8Array): QueryResult {
  const payload = StreamExecuteResponse.decode(new Uint8Array(message)).result?.payload;
  if (payload?.$case !== "result") {
    throw new TypeError(`a message without a result`);
  }
  return payload.value;
}

async function collected(events: readonly ResultEvent[]): Promise<QueryResult | undefined> {
  const handler = handlerOf(managerOf(events), "ExecuteQuery");
  if (handler.kind !== "unary") {
    throw new TypeError("not unary");
  }
  const request = ExecuteQueryRequest.encode(ExecuteQueryRequest.fromPartial({})).finish();
  return ExecuteQueryResponse.decode(await handler.call(request, context)).result;
}

/** The rows of structured results, as values. */
function valuesOf(results: readonly QueryResult[]): (string | null)[][] {
  return results.flatMap(({ rows }) =>
    rows.map(({ lengths, values }) => {
      let at = 0;
      return lengths.map((length) => {
        if (length < 0n) {
          return null;
        }
        const start = at;
        at += Number(length);
        return Buffer.from(values.subarray(start, at)).toString("hex");
      });
    }),
  );
}

const hexOf = (table: Table): (string | null)[][] =>
  table.map((row) =>
    row.map((value) => (value === null ? null : Buffer.from(value).toString("hex"))),
  );

const statement = (table: Table, perBlock: number): ResultEvent[] => [
  {
    type: "fields",
    bytes: encodeFields(textFields(...(table[0] ?? []).map((_value, index) => `c${index}`))),
  },
  ...rowsEvents(table, perBlock),
  { type: "complete", bytes: encodeCommandTag(`SELECT ${table.length}`) },
];
const perBlock = fc.integer({ min: 1, max: 5 });

test("passthrough streams PostgreSQL's bytes, counted, in messages of bounded size", async () => {
  await fc.assert(
    fc.asyncProperty(tables, perBlock, async (table, rows) => {
      const messages = await streamed(statement(table, rows), true);
      const results = messages.map(resultOf);
      expect(Buffer.concat(results.map((result) => result.passthroughBlock))).toEqual(
        Buffer.concat(table.map((row) => dataRow(...row))),
      );
      const counted = results.reduce((sum, result) => sum + result.passthroughRowCount, 0);
      expect(counted).toBe(table.length);
      expect(results.map((result) => result.commandTag)).toEqual([
        ...results.slice(1).map(() => ""),
        `SELECT ${table.length}`,
      ]);
      for (const result of results) {
        expect(result.passthroughBlock.byteLength).toBeLessThanOrEqual(BATCH_BYTES);
        expect(result.fields).toHaveLength(table[0]?.length ?? 0);
        expect(result.hasFields).toBe(true);
        expect(result.rows).toEqual([]);
      }
    }),
  );
});

test("structured rows say what the bytes of PostgreSQL said", async () => {
  await fc.assert(
    fc.asyncProperty(tables, perBlock, async (table, rows) => {
      const messages = await streamed(statement(table, rows), false);
      expect(valuesOf(messages.map(resultOf))).toEqual(hexOf(table));
      for (const message of messages) {
        expect(message.byteLength).toBeLessThanOrEqual(MAX_MESSAGE_BYTES);
        expect(resultOf(message).passthroughBlock.byteLength).toBe(0);
      }
    }),
  );
});

test("ExecuteQuery answers the same rows in one message", async () => {
  await fc.assert(
    fc.asyncProperty(tables, perBlock, async (table, rows) => {
      const events = statement(table, rows);
      const bytes = table.reduce((sum, row) => sum + dataRow(...row).byteLength, 0);
      fc.pre(bytes <= MAX_MESSAGE_BYTES);
      const result = await collected(events);
      expect(valuesOf(result === undefined ? [] : [result])).toEqual(hexOf(table));
      expect(result?.commandTag).toBe(`SELECT ${table.length}`);
    }),
  );
});

test("a result that does not fit into the answer of ExecuteQuery ends the statement", async () => {
  let seen: unknown;
  const manager = new FakeManager();
  manager.execute = async (_request, sink) => {
    await sink.write({ type: "fields", bytes: encodeFields(textFields("a")) });
    for (;;) {
      const bytes = dataRow("x".repeat(100));
      try {
        await sink.write({ type: "rows", bytes, rowCount: 1, inProgress: false });
      } catch (error) {
        seen = error;
        throw new Error("the statement was ended", { cause: error });
      }
    }
  };
  const handler = handlerOf(manager, "ExecuteQuery");
  const answer = handler.kind === "unary" ? handler.call(new Uint8Array(), context) : undefined;
  await expect(answer).rejects.toMatchObject({ code: "MESSAGE_TOO_LARGE" });
  expect(seen).toBeInstanceOf(Error);
});

test("bytes that are no rows end a structured stream, even if the controller goes on", async () => {
  const events: ResultEvent[] = [
    { type: "fields", bytes: encodeFields(textFields("a")) },
    { type: "rows", bytes: Buffer.from("garbage"), rowCount: 1, inProgress: false },
  ];
  await expect(streamed(events, false)).rejects.toMatchObject({ code: "MALFORMED_ROWS" });
  const manager = new FakeManager();
  manager.execute = async (_request, sink) => {
    for (const event of events) {
      await sink.write(event)?.catch(() => {});
    }
  };
  const handler = handlerOf(manager, "ExecuteQuery");
  const answer = handler.kind === "unary" ? handler.call(new Uint8Array(), context) : undefined;
  await expect(answer).rejects.toMatchObject({ code: "MALFORMED_ROWS" });
});
