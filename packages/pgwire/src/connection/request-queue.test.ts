import { expect, test } from "vitest";
import { SimpleQuery } from "../requests/simple-query.ts";
import { RequestQueue } from "./request-queue.ts";

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
  const receiver = { event: () => undefined, settle: () => undefined };
  return new SimpleQuery({ sql, receiver });
}

function message(sql: string): string {
  const length = Buffer.alloc(4);
  length.writeInt32BE(sql.length + 5);
  return `Q${length.toString("latin1")}${sql}\0`;
}

test("the requests that wait leave in one write, in order", () => {
  const socket = new FakeSocket();
  const queue = new RequestQueue({ socket });
  const first = query("select 1");
  queue.push(first);
  queue.push(query("select 2"));
  expect(socket.writes).toEqual([]);
  expect(queue.running).toBeUndefined();
  expect(queue.unsentBytes).toBe(28);
  queue.flush();
  expect(queue.unsentBytes).toBe(0);
  expect(socket.writes).toEqual([message("select 1") + message("select 2")]);
  expect(queue.running).toBe(first);
  queue.push(query("select 3"));
  queue.flush();
  expect(socket.writes.slice(1)).toEqual([message("select 3")]);
  expect(queue.size).toBe(3);
});

test("a long queue leaves in writes that do not grow with it", () => {
  const socket = new FakeSocket();
  const queue = new RequestQueue({ socket });
  const sql = "x".repeat(30_000);
  for (let count = 0; count < 6; count += 1) {
    queue.push(query(sql));
  }
  queue.flush();
  expect(socket.writes.map(({ length }) => length)).toEqual([90_018, 90_018]);
});

test("text is sent as UTF-8 and its length counts bytes", () => {
  const socket = new FakeSocket();
  const queue = new RequestQueue({ socket });
  queue.push(query("select 'ü€😀'"));
  queue.flush();
  const text = Buffer.from("select 'ü€😀'").toString("latin1");
  expect(socket.writes).toEqual([message(text)]);
});

test("a congested socket gets nothing more until it has drained", () => {
  const socket = new FakeSocket();
  const queue = new RequestQueue({ socket });
  socket.congested = true;
  queue.push(query("select 1"));
  queue.flush();
  expect(socket.writes).toEqual([]);
  socket.congested = false;
  queue.flush();
  expect(socket.writes).toEqual([message("select 1")]);
});

test("congestion that begins in the middle of a flush stops it there", () => {
  const socket = new FakeSocket();
  socket.narrow = true;
  const queue = new RequestQueue({ socket });
  const [first, second] = [query("x".repeat(70_000)), query("select 2")];
  queue.push(first);
  queue.push(second);
  queue.flush();
  expect(socket.writes).toHaveLength(1);
  expect(queue.withdraw(first)).toBe(false);
  expect(queue.withdraw(second)).toBe(true);
});

test("a request that was not sent can be taken back, once", () => {
  const socket = new FakeSocket();
  const queue = new RequestQueue({ socket });
  const [first, second] = [query("select 1"), query("select 2")];
  queue.push(first);
  queue.push(second);
  expect(queue.withdraw(first)).toBe(true);
  expect(queue.withdraw(first)).toBe(false);
  queue.flush();
  expect(socket.writes).toEqual([message("select 2")]);
  expect(queue.withdraw(second)).toBe(false);
  expect(queue.size).toBe(1);
});

test("what is left at the end is told apart by whether it was sent", () => {
  const socket = new FakeSocket();
  const queue = new RequestQueue({ socket });
  const [first, second] = [query("select 1"), query("select 2")];
  queue.push(first);
  queue.flush();
  queue.push(second);
  expect(queue.clear()).toEqual({ sent: [first], unsent: [second] });
  queue.flush();
  expect(socket.writes).toHaveLength(1);
  expect(queue.size).toBe(0);
});

test("nothing counts as sent on a socket that cannot be written to", () => {
  const socket = new FakeSocket();
  socket.writable = false;
  const queue = new RequestQueue({ socket });
  const request = query("select 1");
  queue.push(request);
  queue.flush();
  expect(queue.clear()).toEqual({ sent: [], unsent: [request] });
});

test("nothing is written behind a barrier until it is lifted", () => {
  const socket = new FakeSocket();
  const queue = new RequestQueue({ socket });
  const [first, second, third] = [query("select 1"), query("select 2"), query("select 3")];
  for (const request of [first, second, third]) {
    queue.push(request);
  }
  queue.setBarrier(second);
  queue.flush();
  expect(socket.writes).toEqual([message("select 1") + message("select 2")]);
  queue.shift();
  queue.shift();
  queue.flush();
  expect(socket.writes).toHaveLength(1);
  queue.setBarrier(undefined);
  queue.flush();
  expect(socket.writes.slice(1)).toEqual([message("select 3")]);
});

test("what is appended to a request that waits follows it, and nothing comes in between", () => {
  const socket = new FakeSocket();
  const queue = new RequestQueue({ socket });
  const [earlier, open] = [query("earlier"), query("open")];
  queue.push(earlier);
  queue.flush();
  queue.setBarrier(earlier);
  queue.push(open);
  expect(queue.append(earlier, Buffer.from("x"))).toBe(false);
  expect(queue.append(open, Buffer.from("more,"))).toBe(true);
  expect(queue.append(open, Buffer.from("end"))).toBe(true);
  queue.push(query("later"));
  expect(queue.flush()).toBe(false);
  queue.shift();
  queue.setBarrier(undefined);
  socket.narrow = true;
  expect(queue.flush()).toBe(false);
  // The request is sent, and what was appended before is not.
  expect(queue.append(open, Buffer.from("!"))).toBe(true);
  socket.narrow = false;
  socket.congested = false;
  expect(queue.flush()).toBe(true);
  expect(socket.writes.slice(1)).toEqual([message("open"), "more,end!", message("later")]);
  expect(queue.unsentBytes).toBe(0);
  expect(queue.append(open, Buffer.from("x"))).toBe(false);
});

test("what was appended goes with its request", () => {
  const socket = new FakeSocket();
  const queue = new RequestQueue({ socket });
  const open = query("open");
  queue.push(open);
  queue.append(open, Buffer.from("more"));
  expect(queue.withdraw(open)).toBe(true);
  expect(queue.unsentBytes).toBe(0);
  queue.push(query("next"));
  expect(queue.flush()).toBe(false);
  expect(socket.writes).toEqual([message("next")]);
});
