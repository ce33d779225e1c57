import type { ManagerStatus } from "@multipooler/manager";
import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { notifyRequest } from "./notification.ts";
import { ServiceStatus } from "./service-status.ts";

type Shown = Pick<ManagerStatus, "serving" | "notReadyReason">;

/** A service manager that answers when a test lets it. */
class Stand {
  readonly clock = new ManualClock();
  readonly told: string[][] = [];
  readonly complaints: unknown[] = [];
  readonly answers: PromiseWithResolvers<void>[] = [];
  status: ServiceStatus;
  watchers = 0;
  #listener: (status: Shown) => void = () => undefined;

  constructor(watchdogMs?: number) {
    this.status = new ServiceStatus({
      notify: (fields, { signal }) => {
        this.told.push([...fields]);
        const answer = Promise.withResolvers<void>();
        this.answers.push(answer);
        signal.addEventListener("abort", () => answer.reject(new Error("given up")));
        return answer.promise;
      },
      watchdogMs,
      watchStatus: (listener) => {
        this.watchers += 1;
        this.#listener = listener;
        return () => void (this.watchers -= 1);
      },
      clock: this.clock,
      complain: (error) => void this.complaints.push(error),
    });
  }

  show(status: "SERVING" | "NOT_SERVING", notReadyReason?: string): void {
    const current = { status, role: "PRIMARY", reason: "" } as const;
    this.#listener({ serving: { current, wanted: undefined }, notReadyReason });
  }

  async answer(error?: Error): Promise<void> {
    const answer = this.answers.shift();
    if (error === undefined) {
      answer?.resolve();
    } else {
      answer?.reject(error);
    }
    await this.clock.advance(0);
  }
}

test("what changes while a message is on its way goes into the next, once", async () => {
  const stand = new Stand();
  stand.show("NOT_SERVING", "it starts");
  stand.status.ready();
  stand.show("SERVING");
  stand.show("SERVING");
  expect(stand.told).toEqual([["STATUS=PRIMARY NOT_SERVING: not ready: it starts"]]);
  await stand.answer();
  expect(stand.told.slice(1)).toEqual([["READY=1", "STATUS=PRIMARY SERVING"]]);
  stand.status.stopping();
  const closed = stand.status[Symbol.asyncDispose]();
  await stand.answer();
  await stand.answer();
  await closed;
  expect(stand.told.slice(2)).toEqual([["STOPPING=1"]]);
  expect([stand.watchers, stand.clock.pending]).toEqual([0, 0]);
});

test("an end waits for a second at most for a service manager that does not answer", async () => {
  const stand = new Stand();
  stand.status.ready();
  stand.status.stopping();
  let hasEnded = false;
  const closed = stand.status[Symbol.asyncDispose]().then(() => (hasEnded = true));
  await stand.clock.advance(999);
  expect(hasEnded).toBe(false);
  await stand.clock.advance(1);
  await closed;
  expect(stand.told).toEqual([["READY=1"]]);
  expect(stand.clock.pending).toBe(0);
});

test("a reason cannot add fields of its own", async () => {
  const stand = new Stand();
  stand.show("NOT_SERVING", "no\nMAINPID=1\r\n");
  expect(stand.told).toEqual([["STATUS=PRIMARY NOT_SERVING: not ready: no MAINPID=1 "]]);
});

test("signs of life come twice in the time that is waited for one, and end with it", async () => {
  const stand = new Stand(30_000);
  await stand.clock.advance(0);
  expect(stand.told).toEqual([["WATCHDOG=1"]]);
  await stand.answer();
  await stand.clock.advance(15_000);
  expect(stand.told).toHaveLength(2);
  await stand.answer();
  await stand.status[Symbol.asyncDispose]();
  expect(stand.clock.pending).toBe(0);
});

test("a service manager that cannot be told is complained of once", async () => {
  const stand = new Stand();
  stand.status.ready();
  await stand.answer(new Error("no such file"));
  stand.status.stopping();
  await stand.answer(new Error("no such file"));
  expect(stand.complaints).toEqual([new Error("no such file")]);
  stand.show("SERVING");
  await stand.answer();
  stand.show("NOT_SERVING");
  await stand.answer(new Error("again"));
  expect(stand.complaints).toHaveLength(2);
});

test.each([
  [{}, undefined],
  [{ NOTIFY_SOCKET: "" }, undefined],
  [{ NOTIFY_SOCKET: "/run/n" }, { watchdogMs: undefined }],
  [{ NOTIFY_SOCKET: "@n", WATCHDOG_USEC: "30000000" }, { watchdogMs: 30_000 }],
  [{ NOTIFY_SOCKET: "/n", WATCHDOG_USEC: "5000", WATCHDOG_PID: "7" }, { watchdogMs: 5 }],
  [{ NOTIFY_SOCKET: "/n", WATCHDOG_USEC: "5000", WATCHDOG_PID: "8" }, { watchdogMs: undefined }],
])("%j asks for %j", (env, request) => {
  expect(notifyRequest(env, 7)).toEqual(request);
});

test("a watchdog of no time is refused", () => {
  const env = { NOTIFY_SOCKET: "/n", WATCHDOG_USEC: "often" };
  expect(() => notifyRequest(env, 7)).toThrow(
    new RangeError('WATCHDOG_USEC: "often" is not a number of microseconds'),
  );
});
