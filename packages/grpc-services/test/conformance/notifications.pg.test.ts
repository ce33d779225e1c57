import {
  MultipoolerServiceDefinition,
  NotificationStreamRequest,
} from "@multipooler/proto/multipoolerservice";
import type { NotificationStreamResponse } from "@multipooler/proto/multipoolerservice";
import { PoolerType } from "@multipooler/manager";
import { afterEach, expect, test } from "vitest";
import { ConformingPooler } from "./conforming-pooler.ts";
import { useScene } from "./scene.ts";
import type { WireCall } from "./wire-client.ts";

const UNKNOWN = 2;
const STORM = 200;
const READY = { ready: true, notification: undefined };

type NotificationCall = WireCall<NotificationStreamRequest, NotificationStreamResponse>;

const scene = useScene();
const open: NotificationCall[] = [];

afterEach(async () => {
  for (const call of open.splice(0)) {
    call.cancel();
    await call.ended;
  }
});

function listen({ client }: ConformingPooler): NotificationCall {
  const call = client.open(MultipoolerServiceDefinition.methods.notificationStream);
  open.push(call);
  return call;
}

function ask(
  call: NotificationCall,
  wish: Parameters<typeof NotificationStreamRequest.fromPartial>[0],
): NotificationCall {
  return call.send(NotificationStreamRequest.fromPartial(wish));
}

/** The next notification. */
async function told(call: NotificationCall): Promise<string> {
  const { channel, payload } = (await call.next())?.notification ?? {};
  return `${channel} ${payload}`;
}

async function notify(channel: string, payload: string): Promise<void> {
  await scene.postgres.sql("select pg_notify($1, $2)", { values: [channel, payload] });
}

/** The connections that listen for the scene's pooler. */
async function listeners(): Promise<number[]> {
  const rows = await scene.postgres.sql(
    "select pid from pg_stat_activity where application_name like '% listen'",
  );
  return rows.map(({ pid }) => Number(pid));
}

test("NotificationStream acks only after LISTEN is effective", async () => {
  for (let round = 0; round < 20; round += 1) {
    const call = ask(listen(scene.pooler), { subscribeChannels: [`effective ${round}`] });
    expect(await call.next()).toEqual(READY);
    await notify(`effective ${round}`, "at once");
    expect(await call.next()).toEqual({
      ready: false,
      notification: {
        pid: expect.any(Number),
        channel: `effective ${round}`,
        payload: "at once",
      },
    });
  }
  expect(await listeners()).toHaveLength(1);
});

test("exactly one ack for each request, also for what changes nothing", async () => {
  const call = listen(scene.pooler);
  ask(call, { subscribeChannels: ["a", "a"] });
  ask(call, { subscribeChannels: ["a"], unsubscribeChannels: ["not there"] });
  ask(call, {});
  ask(call, { unsubscribeAll: true, subscribeChannels: ["b"] });
  for (let request = 0; request < 4; request += 1) {
    expect(await call.next()).toEqual(READY);
  }
  await notify("a", "left");
  await notify("b", "joined");
  expect(await told(call)).toBe("b joined");
});

test("order across channels", async () => {
  const call = ask(listen(scene.pooler), { subscribeChannels: ["x", "y", "Mixed Case"] });
  expect(await call.next()).toEqual(READY);
  const channels = ["x", "y", "Mixed Case"];
  const sent = Array.from({ length: STORM }, (_, index) => `${channels[index % 3]} ${index}`);
  // Some of them in one transaction, the next ones in the next.
  for (let from = 0; from < STORM; from += STORM / 4) {
    await scene.postgres.sql(
      "select pg_notify(($1::text[])[n % 3 + 1], n::text) from generate_series($2::int, $3) n",
      { values: [channels, from, from + STORM / 4 - 1] },
    );
  }
  const got: string[] = [];
  while (got.length < STORM) {
    got.push(await told(call));
  }
  expect(got).toEqual(sent);
});

test("a channel that is subscribed to again, alone or beside a new one, is heard once", async () => {
  const call = listen(scene.pooler);
  for (const channels of [["jobs"], ["jobs"], ["jobs", "tasks"], ["tasks", "jobs", "jobs"]]) {
    ask(call, { subscribeChannels: channels });
    expect(await call.next()).toMatchObject(READY);
  }
  await notify("jobs", "1");
  await notify("tasks", "2");
  await notify("jobs", "3");
  expect([await told(call), await told(call), await told(call)]).toEqual([
    "jobs 1",
    "tasks 2",
    "jobs 3",
  ]);
});

test("UNLISTEN when last leaves", async () => {
  const ran = "select query from pg_stat_activity where application_name like '% listen'";
  const first = ask(listen(scene.pooler), { subscribeChannels: ["shared"] });
  const second = ask(listen(scene.pooler), { subscribeChannels: ["shared"] });
  expect([await first.next(), await second.next()]).toEqual([READY, READY]);
  ask(first, { unsubscribeAll: true });
  expect(await first.next()).toEqual(READY);
  await notify("shared", "still");
  expect(await told(second)).toBe("shared still");
  ask(second, { unsubscribeChannels: ["shared"] });
  expect(await second.next()).toEqual(READY);
  await expect
    .poll(() => scene.postgres.sql(ran))
    .toEqual([{ query: expect.stringContaining('UNLISTEN "shared"') }]);
});

test("a client that half-closes ends its stream with OK", async () => {
  const call = ask(listen(scene.pooler), { subscribeChannels: ["a"] });
  expect(await call.next()).toEqual(READY);
  expect(await call.halfClose().answer()).toMatchObject({ code: 0, messages: [] });
});

test("reconnect", async () => {
  const call = ask(listen(scene.pooler), { subscribeChannels: ["kept"] });
  expect(await call.next()).toEqual(READY);
  const lost = await listeners();
  for (const pid of lost) {
    await scene.postgres.sql("select pg_terminate_backend($1)", { values: [pid] });
  }
  await expect
    .poll(async () => (await listeners()).filter((pid) => !lost.includes(pid)))
    .toHaveLength(1);
  // Confirmed on the new connection, behind the channels of before.
  ask(call, {});
  expect(await call.next()).toEqual(READY);
  await notify("kept", "after");
  expect(await told(call)).toBe("kept after");
});

test("a pooler that is not the primary refuses the stream", async () => {
  await using replica = await ConformingPooler.start(scene.postgres, { type: PoolerType.Replica });
  const call = ask(listen(replica), { subscribeChannels: ["a"] });
  expect(await call.answer()).toMatchObject({
    code: UNKNOWN,
    messages: [],
    rpcError: { pgDiagnostic: { code: "MTF01" } },
  });
});
