import type { ResultEvent } from "@multipooler/query-service";
import { describe, expect, test } from "vitest";
import { RawUnit } from "../src/requests/raw-unit.ts";
import { ask, askRaw, query, queryMessage } from "./ask.ts";
import {
  commandComplete,
  dataRow,
  errorResponse,
  message,
  readyForQuery,
  rowDescription,
} from "./backend-messages.ts";
import { RecordingSink } from "./recording-sink.ts";
import { connectTo, serveSession } from "./scripted-session.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const complete = (tag: string): Buffer => Buffer.concat([commandComplete(tag), readyForQuery()]);

/** Takes nothing behind the first event until it is opened. */
class GatedSink extends RecordingSink {
  readonly #gate = Promise.withResolvers<void>();
  readonly #reached = Promise.withResolvers<void>();
  #isOpen = false;

  /** Resolves when the first event was handed over. */
  get reached(): Promise<void> {
    return this.#reached.promise;
  }

  open(): void {
    this.#isOpen = true;
    this.#gate.resolve();
  }

  fail(error: Error): void {
    this.#gate.reject(error);
  }

  override write(event: ResultEvent): undefined;
  override write(event: ResultEvent): Promise<void> | undefined {
    super.write(event);
    this.#reached.resolve();
    return this.#isOpen ? undefined : this.#gate.promise;
  }
}

describe("while a receiver of events is behind", () => {
  test("the request behind it on the connection is answered and settled", async () => {
    await using server = await serveSession(async (peer) => {
      expect([await peer.query(), await peer.query()]).toEqual(["slow", "next"]);
      peer.write(rowDescription("a"), dataRow("1"), complete("SELECT 1"), complete("NEXT"));
      await peer.clientEnd;
    });
    const connection = await connectTo(server);
    const [slow, next] = [new GatedSink(), new RecordingSink()];
    const first = query("slow", slow);
    connection.send(first.request);
    await ask(connection, "next", next);
    expect(next.types).toEqual(["complete"]);
    expect(slow.types).toEqual(["fields"]);
    expect([connection.inFlight, connection.idle]).toEqual([1, false]);
    slow.open();
    expect(await first.ended).toMatchObject({ type: "ready", error: undefined });
    expect(slow.types).toEqual(["fields", "rows", "complete"]);
    expect(connection.idle).toBe(true);
    connection.destroy();
  });

  test("what is kept is bounded, and everything arrives in the end", async () => {
    const row = dataRow("x".repeat(1000));
    const rows = Buffer.concat(Array.from({ length: 64 }, () => row));
    let isWritten = false;
    await using server = await serveSession(async (peer) => {
      expect([await peer.query(), await peer.query()]).toEqual(["slow", "next"]);
      peer.write(rowDescription("a"));
      for (let count = 0; count < 300; count += 1) {
        if (!peer.socket.write(rows)) {
          await new Promise((resolve) => peer.socket.once("drain", resolve));
        }
      }
      isWritten = true;
      peer.write(complete("SELECT"), complete("NEXT"));
      await peer.clientEnd;
    });
    const before = process.memoryUsage().arrayBuffers;
    const connection = await connectTo(server);
    const slow = new GatedSink();
    const first = query("slow", slow);
    connection.send(first.request);
    const next = ask(connection, "next", new RecordingSink());
    await slow.reached;
    for (let count = 0; count < 200; count += 1) {
      await turn();
    }
    expect(isWritten).toBe(false);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(12_000_000);
    slow.open();
    await Promise.all([first.ended, next]);
    expect(slow.rowCount).toBe(19_200);
    connection.destroy();
  });

  test("the end of the session is noticed, requests behind it end, and it gets what arrived", async () => {
    await using server = await serveSession(async (peer) => {
      expect([await peer.query(), await peer.query()]).toEqual(["slow", "next"]);
      peer.write(rowDescription("a"), dataRow("1"), errorResponse("FATAL", "57P01", "terminating"));
      peer.socket.end();
    });
    const connection = await connectTo(server);
    const [slow, next] = [new GatedSink(), query("next", new RecordingSink())];
    const first = query("slow", slow);
    connection.send(first.request);
    connection.send(next.request);
    const lost = { type: "lost", error: { diagnostic: { code: "57P01" }, sent: true } };
    expect(await next.ended).toMatchObject(lost);
    expect(await connection.closed).toMatchObject({ type: "lost" });
    expect([connection.state, slow.types]).toEqual(["closed", ["fields"]]);
    slow.open();
    expect(await first.ended).toMatchObject(lost);
    expect(slow.types).toEqual(["fields", "rows"]);
  });

  test("an answer that is complete is not lost with the session, but with its destruction", async () => {
    await using server = await serveSession(async (peer) => {
      expect([await peer.query(), await peer.query()]).toEqual(["one", "two"]);
      peer.write(rowDescription("a"), complete("ONE"), rowDescription("a"), complete("TWO"));
      peer.socket.end();
    });
    const connection = await connectTo(server);
    const sinks = [new GatedSink(), new GatedSink()] as const;
    const [one, two] = [query("one", sinks[0]), query("two", sinks[1])];
    connection.send(one.request);
    connection.send(two.request);
    await connection.closed;
    sinks[0].open();
    expect(await one.ended).toMatchObject({ type: "ready" });
    expect(sinks[0].types).toEqual(["fields", "complete"]);
    connection.destroy(new Error("enough"));
    expect(await two.ended).toMatchObject({ type: "lost", error: { sent: true } });
    sinks[1].open();
    await turn();
    expect(sinks[1].types).toEqual(["fields"]);
  });

  test("its failure drops what was kept, not what others get", async () => {
    await using server = await serveSession(async (peer) => {
      expect([await peer.query(), await peer.query()]).toEqual(["slow", "next"]);
      peer.write(rowDescription("a"), dataRow("1"), complete("SELECT 1"), complete("NEXT"));
      await peer.clientEnd;
    });
    const connection = await connectTo(server);
    const slow = new GatedSink();
    const first = query("slow", slow);
    connection.send(first.request);
    await ask(connection, "next", new RecordingSink());
    const gone = new Error("the client is gone");
    slow.fail(gone);
    expect(await first.ended).toMatchObject({ type: "sinkFailed", cause: gone });
    expect(slow.types).toEqual(["fields"]);
    connection.destroy();
  });

  test("close waits for it", async () => {
    await using server = await serveSession(async (peer) => {
      await peer.query();
      peer.write(rowDescription("a"), complete("SELECT 0"));
      expect((await peer.message()).type).toBe("X");
      peer.socket.end();
    });
    const connection = await connectTo(server);
    const slow = new GatedSink();
    const { request, ended } = query("slow", slow);
    connection.send(request);
    const closing = connection.close();
    await slow.reached;
    await turn();
    expect(connection.state).toBe("closing");
    slow.open();
    await Promise.all([ended, closing]);
    expect(await connection.closed).toEqual({ type: "closed" });
  });
});

describe("while a receiver of spans is behind", () => {
  /** Takes the first span and says that it is behind. */
  function slowUnit(): { unit: RawUnit; bytes: () => number; ended: Promise<unknown> } {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    let bytes = 0;
    const receiver = {
      span: (span: Uint8Array): boolean => {
        bytes += span.length;
        return false;
      },
      settle: resolve,
    };
    const unit = new RawUnit({ bytes: queryMessage("q"), receiver });
    return { unit, bytes: () => bytes, ended: promise };
  }

  test("nothing is read until it resumes", async () => {
    const part = message("D", Buffer.alloc(1_000_000));
    let written = 0;
    await using server = await serveSession(async (peer) => {
      await peer.query();
      for (let count = 0; count < 30; count += 1) {
        if (!peer.socket.write(part)) {
          await new Promise((resolve) => peer.socket.once("drain", resolve));
        }
        written += 1;
      }
      peer.write(complete("SELECT"));
      await peer.clientEnd;
    });
    const connection = await connectTo(server);
    const { unit, bytes, ended } = slowUnit();
    connection.send(unit);
    while (bytes() === 0) {
      await turn();
    }
    const atFirst = bytes();
    for (let count = 0; count < 100; count += 1) {
      await turn();
    }
    expect(bytes()).toBe(atFirst);
    expect(written).toBeLessThan(30);
    while (connection.inFlight > 0) {
      connection.resume();
      await turn();
    }
    expect(await ended).toMatchObject({ type: "ready" });
    expect(bytes()).toBe(30 * part.length + complete("SELECT").length);
    connection.destroy();
  });

  test("bytes keep coming for whom others are in flight behind", async () => {
    const part = message("D", Buffer.alloc(300_000));
    await using server = await serveSession(async (peer) => {
      expect(await peer.query()).toBe("q");
      peer.write(part);
      expect(await peer.query()).toBe("next");
      peer.write(part, complete("SELECT"), complete("NEXT"));
      await peer.clientEnd;
    });
    const connection = await connectTo(server);
    const { unit, bytes, ended } = slowUnit();
    connection.send(unit);
    while (bytes() === 0) {
      await turn();
    }
    const next = askRaw(connection, queryMessage("next"));
    expect(await ended).toMatchObject({ type: "ready" });
    expect(bytes()).toBe(2 * part.length + complete("SELECT").length);
    expect((await next).bytes).toEqual(complete("NEXT"));
    connection.destroy();
  });
});
