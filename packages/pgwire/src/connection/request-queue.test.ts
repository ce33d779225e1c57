import { expect, test } from "vitest";
import { RecordingSink } from "../test/recording-sink.ts";
import { RequestQueue } from "./request-queue.ts";
import { SimpleQuery } from "./simple-query.ts";

class FakeSocket {
  readonly writes: string[] = [];
  writable = true;
  congested = false;
  /** Is congested after each write. */
  narrow = false;

  write(bytes: Buffer): void {
    this.writes.push(bytes.toString("latin1"));
    this.congested = this.narrow;
  }
}

function query(sql: string): SimpleQuery {
  return new SimpleQuery({ sql, sink: new RecordingSink(), reply: () => undefined });
}

function message(sql: string): string {
  const length = Buffer.alloc(4);
  length.writeInt32BE(sql.length + 5);
  return `Q${length.toString("latin1")}${sql}\0`;
}

const nextTick = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

test("the requests of one tick leave in one write, in order", async () => {
  const socket = new FakeSocket();
  const queue = new RequestQueue({ socket });
  const first = query("select 1");
  queue.push(first);
  queue.push(query("select 2"));
  expect(socket.writes).toEqual([]);
  expect(queue.running).toBeUndefined();
  await nextTick();
  expect(socket.writes).toEqual([message("select 1") + message("select 2")]);
  expect(queue.running).toBe(first);
  queue.push(query("select 3"));
  await nextTick();
  expect(socket.writes.slice(1)).toEqual([message("select 3")]);
  expect(queue.size).toBe(3);
});

test("a long queue leaves in writes that do not grow with it", async () => {
  const socket = new FakeSocket();
  const queue = new RequestQueue({ socket });
  const sql = "x".repeat(30_000);
  for (let count = 0; count < 6; count += 1) {
    queue.push(query(sql));
  }
  await nextTick();
  expect(socket.writes.map(({ length }) => length)).toEqual([90_018, 90_018]);
});

test("text is sent as UTF-8 and its length counts bytes", async () => {
  const socket = new FakeSocket();
  const queue = new RequestQueue({ socket });
  queue.push(query("select 'ü€😀'"));
  await nextTick();
  const text = Buffer.from("select 'ü€😀'").toString("latin1");
  expect(socket.writes).toEqual([message(text)]);
});

test("a congested socket gets nothing more until it has drained", async () => {
  const socket = new FakeSocket();
  const queue = new RequestQueue({ socket });
  socket.congested = true;
  queue.push(query("select 1"));
  await nextTick();
  expect(socket.writes).toEqual([]);
  socket.congested = false;
  queue.flush();
  expect(socket.writes).toEqual([message("select 1")]);
});

test("congestion that begins in the middle of a flush stops it there", async () => {
  const socket = new FakeSocket();
  socket.narrow = true;
  const queue = new RequestQueue({ socket });
  const [first, second] = [query("x".repeat(70_000)), query("select 2")];
  queue.push(first);
  queue.push(second);
  await nextTick();
  expect(socket.writes).toHaveLength(1);
  expect(queue.withdraw(first)).toBe(false);
  expect(queue.withdraw(second)).toBe(true);
});

test("a request that was not sent can be taken back, once", async () => {
  const socket = new FakeSocket();
  const queue = new RequestQueue({ socket });
  const [first, second] = [query("select 1"), query("select 2")];
  queue.push(first);
  queue.push(second);
  expect(queue.withdraw(first)).toBe(true);
  expect(queue.withdraw(first)).toBe(false);
  await nextTick();
  expect(socket.writes).toEqual([message("select 2")]);
  expect(queue.withdraw(second)).toBe(false);
  expect(queue.size).toBe(1);
});

test("what is left at the end is told apart by whether it was sent", async () => {
  const socket = new FakeSocket();
  const queue = new RequestQueue({ socket });
  const [first, second] = [query("select 1"), query("select 2")];
  queue.push(first);
  await nextTick();
  queue.push(second);
  expect(queue.clear()).toEqual({ sent: [first], unsent: [second] });
  await nextTick();
  expect(socket.writes).toHaveLength(1);
  expect(queue.size).toBe(0);
});

test("nothing counts as sent on a socket that cannot be written to", async () => {
  const socket = new FakeSocket();
  socket.writable = false;
  const queue = new RequestQueue({ socket });
  const request = query("select 1");
  queue.push(request);
  await nextTick();
  expect(queue.clear()).toEqual({ sent: [], unsent: [request] });
});
