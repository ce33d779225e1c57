import { encodeCommandTag, encodeFields } from "@multipooler/query-service";
import type { Reservation } from "@multipooler/query-service";
import { StreamExecuteRequest, StreamExecuteResponse } from "@multipooler/proto/multipoolerservice";
import { expect, test } from "vitest";
import type { ExecuteQueryInput } from "../src/client/index.ts";
import { dataRow, textFields } from "./data-rows.ts";
import { FakePoolerError } from "./fake-manager.ts";
import { RawClient } from "./raw-call.ts";
import type { RawOutcome } from "./raw-call.ts";
import { startServer } from "./test-server.ts";

const STREAM_EXECUTE = "/multipoolerservice.MultipoolerService/StreamExecute";
const RESERVATION: Reservation = { id: 2n ** 63n + 7n, reasons: 5, backendProcessId: 4711 };
const RESERVED_STATE = {
  reservedConnectionId: 2n ** 63n + 7n,
  poolerId: { component: 1, cell: "zone1", name: "abc12345" },
  reservationReasons: 5,
  backendProcessId: 4711,
};
const COMPLETE = { type: "complete", bytes: encodeCommandTag("INSERT 0 1") } as const;

/** What arrives for one call, with the pending rows of a statement that failed among it. */
async function streamed(address: string): Promise<{ seen: unknown[]; outcome: RawOutcome }> {
  using client = new RawClient(address);
  const options = { reservedConnectionId: RESERVATION.id, passthroughRow: true };
  const request = StreamExecuteRequest.fromPartial({ options });
  const outcome = await client.call(STREAM_EXECUTE, StreamExecuteRequest.encode(request).finish());
  const seen = outcome.messages.map((bytes) => {
    const { result, reservedState } = StreamExecuteResponse.decode(new Uint8Array(bytes));
    return reservedState ?? result?.payload?.$case;
  });
  return { seen, outcome };
}

test("what stays reserved is the last message of a stream", async () => {
  await using pooler = await startServer();
  pooler.manager.execute = async (_request, sink) => {
    await sink.write(COMPLETE);
    return { reservation: RESERVATION };
  };
  const { seen, outcome } = await streamed(pooler.address);
  expect(seen).toMatchObject(["result", RESERVED_STATE]);
  expect(outcome.status.code).toBe(0);
});

test("an error comes behind the rows before it and what stays reserved", async () => {
  await using pooler = await startServer();
  pooler.manager.execute = async (_request, sink) => {
    await sink.write({ type: "fields", bytes: encodeFields(textFields("a")) });
    await sink.write({ type: "rows", bytes: dataRow("1"), rowCount: 1, inProgress: false });
    const details = { reservation: RESERVATION };
    throw new FakePoolerError("DATABASE_ERROR", "division by zero", undefined, details);
  };
  const { seen, outcome } = await streamed(pooler.address);
  expect(seen).toMatchObject(["result", RESERVED_STATE]);
  expect(outcome.status).toMatchObject({ code: 2, details: "division by zero" });
});

test("what stays reserved is said also when the results cannot be sent", async () => {
  await using pooler = await startServer({ maxMessageBytes: 1000 });
  pooler.manager.execute = async (_request, sink) => {
    const details = { reservation: RESERVATION };
    try {
      await sink.write({ type: "fields", bytes: encodeFields(textFields("a".repeat(1000))) });
      await sink.write(COMPLETE);
    } catch {
      throw new FakePoolerError("CANCELLED", "the sink refused", undefined, details);
    }
  };
  const { seen, outcome } = await streamed(pooler.address);
  expect(seen).toMatchObject([RESERVED_STATE]);
  expect(outcome.status.code).toBe(8);
});

test("without a reservation nothing is said of one, whether the statement fails or not", async () => {
  await using pooler = await startServer();
  pooler.manager.execute = async (_request, sink) => {
    await sink.write(COMPLETE);
  };
  expect((await streamed(pooler.address)).seen).toEqual(["result"]);
  pooler.manager.execute = async () => {
    throw new FakePoolerError("RESERVATION_LOST", "it is not known");
  };
  expect((await streamed(pooler.address)).seen).toEqual([]);
});

test("ExecuteQuery answers with what stays reserved", async () => {
  await using pooler = await startServer();
  pooler.manager.execute = async (_request, sink) => {
    await sink.write(COMPLETE);
    return { reservation: RESERVATION };
  };
  const { result, reservedState } = await pooler.client.executeQuery({ query: "insert" });
  expect(result?.commandTag).toBe("INSERT 0 1");
  expect(reservedState).toMatchObject(RESERVED_STATE);
});

test("what a call reserves that cannot say so is released", async () => {
  await using pooler = await startServer();
  const released: unknown[] = [];
  pooler.manager.verbs = {
    ...pooler.manager.verbs,
    releaseReservation: async ({ id, keepsSticky }) => {
      released.push({ id, keepsSticky });
      return { reservation: undefined };
    },
  };
  pooler.manager.execute = () => {
    const details = { reservation: RESERVATION };
    return Promise.reject(new FakePoolerError("DATABASE_ERROR", "no", undefined, details));
  };
  const failed = (options: ExecuteQueryInput): Promise<unknown> =>
    expect(pooler.client.executeQuery(options)).rejects.toMatchObject({ code: "UNKNOWN" });
  await failed({ options: { reservedConnectionId: RESERVATION.id } });
  expect(released).toEqual([]);
  await failed({ query: "select 1" });
  expect(released).toEqual([{ id: RESERVATION.id, keepsSticky: false }]);
});
