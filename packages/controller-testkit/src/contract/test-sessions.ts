import { PoolerErrorCode } from "@multipooler/query-service";
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { CALLER, DRAINED, PRIMARY, REPLICA, STOPPED } from "./contract-scene.ts";
import type { ContractScene } from "./contract-scene.ts";
import type { ContractSuite } from "./contract-suite.ts";
import { assertFails } from "./failure.ts";
import { isPending, later } from "./patience.ts";
import { SessionTalk } from "./session-talk.ts";

/** Sessions: the answers of the protocol, admission, drain, and the ways to end. */
export function testSessions(suite: ContractSuite): void {
  testConversations(suite);
  testSessionDrains(suite);
  testSessionEnds(suite);
}

function testConversations(suite: ContractSuite): void {
  const { read, failing } = suite.statements;

  suite.test(
    "a session answers each query up to ReadyForQuery, a failing one too",
    async (scene) => {
      const client = await connect(scene);
      const answer = await scene.within(client.ask(read), read);
      ok(answer.includes("D"), "a row");
      ok(answer.includes("C"), "CommandComplete");
      equal(answer.at(-1), "Z");
      if (failing !== undefined) {
        const failed = await scene.within(client.ask(failing), failing);
        match(failed.join(), /ERROR [0-9A-Z]{5}/);
        equal(failed.at(-1), "Z");
      }
      equal(client.session.describe().type, "idle");
      await scene.within(client.session.end("now"), "the end");
    },
    { from: PRIMARY },
  );

  suite.test(
    "opening a session that is aborted before leaves none",
    async (scene) => {
      const client = new SessionTalk();
      const caller = { ...CALLER, database: "" };
      const opened = scene.controller
        .getExecutor()
        .openSession(caller, client, { signal: AbortSignal.abort() });
      await assertFails(scene.within(opened, "openSession"), PoolerErrorCode.Cancelled);
      deepEqual(client.messages, []);
    },
    { from: PRIMARY },
  );

  suite.test(
    "a session that is open is refused its queries while nothing is served, and served again later",
    async (scene) => {
      const client = await connect(scene);
      await scene.become(STOPPED);
      const refused = await scene.within(client.ask(read), read);
      ok(!refused.includes("D"), "no row while nothing is served");
      if (client.ends === 0) {
        await scene.become(PRIMARY);
        ok((await scene.within(client.ask(read), read)).includes("D"), "a row");
        await scene.within(client.session.end("now"), "the end");
      }
    },
    { from: PRIMARY },
  );
}

function testSessionDrains(suite: ContractSuite): void {
  const { read, blocked } = suite.statements;

  for (const to of [REPLICA, DRAINED, STOPPED]) {
    suite.test(
      `a drain to ${to.status} waits for the transaction of a session, which commits`,
      async (scene) => {
        const client = await connect(scene);
        await scene.within(client.ask("BEGIN"), "BEGIN");
        await scene.within(client.ask(read), read);
        equal(client.session.describe().type, "pinned");
        const leaving = later(scene.controller.setServingType(to));
        ok(await isPending(leaving), "the drain waits for the transaction");
        ok((await scene.within(client.ask(read), read)).includes("D"), "it goes on");
        deepEqual(await scene.within(client.ask("COMMIT"), "COMMIT"), ["C", "Z"]);
        await scene.within(leaving, "the drain");
        scene.assertReached(to);
        await scene.within(client.session.end("now"), "the end");
      },
      { from: PRIMARY },
    );
  }

  suite.test(
    "the transaction of a session that outlasts the grace is not committed",
    async (scene) => {
      const client = await connect(scene);
      await scene.within(client.ask("BEGIN"), "BEGIN");
      await scene.within(client.ask(read), read);
      await scene.become(STOPPED);
      const refused = client.ends > 0 ? client.messages : await client.ask("COMMIT");
      ok(!refused.slice(-2).includes("C"), "no CommandComplete for this COMMIT");
      await scene.within(client.session.end("now"), "the end");
    },
    { from: PRIMARY, drainGraceMs: 50 },
  );

  if (blocked !== undefined) {
    suite.test(
      "a cancel ends the statement of a session, and not the session",
      async (scene) => {
        const client = await connect(scene);
        const answer = later(client.ask(blocked));
        await scene.within(untilBlocked(scene), "untilBlocked");
        client.session.cancel();
        const messages = await scene.within(answer, "the answer after the cancel");
        match(messages.join(), /ERROR 57014,Z$/);
        ok((await scene.within(client.ask(read), read)).includes("D"), "it serves on");
        await scene.within(client.session.end("now"), "the end");
      },
      { from: PRIMARY },
    );
  }
}

function testSessionEnds(suite: ContractSuite): void {
  const { read, blocked } = suite.statements;

  suite.test(
    "a controller that takes another handle keeps its sessions, and serves them again",
    async (scene) => {
      const { controller, subject } = scene;
      if (controller.replaceDatabase === undefined) {
        return;
      }
      const client = await connect(scene);
      await assertFails(
        controller.replaceDatabase(subject.database),
        PoolerErrorCode.InvalidArgument,
      );
      await scene.become(DRAINED);
      await scene.within(controller.replaceDatabase(subject.database), "replaceDatabase");
      await assertFails(controller.setServingType(PRIMARY), PoolerErrorCode.NotOpen);
      ok(!(await scene.within(client.ask(read), read)).includes("D"), "no row meanwhile");
      await scene.within(controller.open(), "open");
      await scene.become(PRIMARY);
      ok((await scene.within(client.ask(read), read)).includes("D"), "a row");
      equal(client.ends, 0);
      await scene.within(client.session.end("now"), "the end");
    },
    { from: PRIMARY },
  );

  suite.test(
    "a session is ended once, and takes nothing afterwards",
    async (scene) => {
      const client = await connect(scene);
      const { session } = client;
      await scene.within(Promise.all([session.end("now"), session.end("now")]), "the end");
      equal(session.describe().type, "ended");
      client.send(read);
      session.cancel();
      session.drained();
      await scene.within(session.end("boundary"), "the end again");
      equal(client.ends, 1);
      equal(client.endReason, undefined);
      deepEqual(client.messages, []);
    },
    { from: PRIMARY },
  );

  suite.test(
    "the end at a boundary comes at once to an idle session, as FATAL 57P01",
    async (scene) => {
      const client = await connect(scene);
      await scene.within(client.session.end("boundary"), "the end");
      deepEqual(client.messages, ["FATAL 57P01"]);
      equal(client.ends, 1);
    },
    { from: PRIMARY },
  );

  suite.test(
    "the end at a boundary waits for the end of a transaction",
    async (scene) => {
      const client = await connect(scene);
      await scene.within(client.ask("BEGIN"), "BEGIN");
      // A controller may begin a transaction with its first statement.
      await scene.within(client.ask(read), read);
      const ending = later(client.session.end("boundary"));
      ok(await isPending(ending), "a transaction is open");
      ok((await scene.within(client.ask(read), read)).includes("D"), "it goes on");
      client.send("COMMIT");
      await scene.within(ending, "the end");
      ok(client.messages.includes("C"), "the COMMIT is answered");
      equal(client.messages.at(-1), "FATAL 57P01");
    },
    { from: PRIMARY },
  );

  suite.test(
    "close ends sessions, in a transaction and out of it, and says so once",
    async (scene) => {
      const idle = await connect(scene);
      const busy = await connect(scene);
      await scene.within(busy.ask("BEGIN"), "BEGIN");
      await scene.within(busy.ask(read), read);
      await scene.close();
      deepEqual([idle.ends, busy.ends], [1, 1]);
    },
    { from: PRIMARY },
  );

  if (blocked !== undefined) {
    suite.test(
      "a client that goes away while its statement runs leaves nothing",
      async (scene) => {
        const client = await connect(scene);
        client.send(blocked);
        await scene.within(untilBlocked(scene), "untilBlocked");
        await scene.within(client.session.end("now"), "the end");
        equal(client.ends, 1);
        await scene.become(STOPPED);
      },
      { from: PRIMARY },
    );
  }
}

async function connect(scene: ContractScene): Promise<SessionTalk> {
  const client = new SessionTalk();
  const caller = { ...CALLER, database: "" };
  const opened = scene.controller.getExecutor().openSession(caller, client);
  client.attach(await scene.within(opened, "openSession"));
  return client;
}

async function untilBlocked({ subject }: ContractScene): Promise<void> {
  await subject.untilBlocked?.(1);
}
